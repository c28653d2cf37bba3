package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// controlFault is a Fault as the control endpoint reads and writes it.
type controlFault struct {
	Kind       string `json:"kind"`
	Person     string `json:"person"`
	Latency    string `json:"latency"` // like "250ms"; empty is none
	RetryAfter string `json:"retryAfter"`
	Times      int    `json:"times"`
}

type controlError struct {
	Error    string   `json:"error"`
	Accepted []string `json:"accepted,omitempty"`
}

type controlPerson struct {
	Tenant  string            `json:"tenant"`
	IDs     map[string]string `json:"ids"`
	Traits  []string          `json:"traits"`
	FaultAt string            `json:"faultAt,omitempty"`
	Danger  *controlDanger    `json:"danger,omitempty"`
}

type controlDanger struct {
	Kind    string `json:"kind"`
	Case    string `json:"case"`
	Part    string `json:"part"`
	At      string `json:"at"`
	Address string `json:"address,omitempty"`
	Mark    string `json:"mark"`
}

type controlPeople struct {
	Total  int             `json:"total"` // how many match, however many are shown
	People []controlPerson `json:"people"`
}

type controlCalls struct {
	Lookups  int64 `json:"lookups"`
	Searches int64 `json:"searches"`
	Tokens   int64 `json:"tokens"`
}

// Control is the control endpoint: faults, people and counters over HTTP. It is for loopback: it asks for no credential.
func (s *Simulation) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /faults/{vendor}", s.putFault)
	mux.HandleFunc("DELETE /faults/{vendor}", s.deleteFaults)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults("")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		document(http.StatusOK, controlFaults(s.faults.snapshot())).write(w)
	})
	mux.HandleFunc("GET /people", s.getPeople)
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		calls := make(map[string]controlCalls)
		for _, name := range Vendors() {
			calls[name] = controlCalls{s.Calls(name), s.Searches(name), s.TokenCalls(name)}
		}
		document(http.StatusOK, calls).write(w)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		complain(w, http.StatusNotFound, fmt.Sprintf("no %s %s here", r.Method, r.URL.Path),
			"PUT /faults/{vendor}", "DELETE /faults/{vendor}", "DELETE /faults", "GET /faults",
			"GET /people?tenant=&trait=&danger=&limit=", "GET /calls")
	})
	return mux
}

func (s *Simulation) putFault(w http.ResponseWriter, r *http.Request) {
	members := []string{
		"kind: one of the kinds below", `person: an id of the vendor; empty is everybody`, `latency: like "250ms"`,
		`retryAfter: text, like "17"`, `times: calls until it is spent; 0 is until it is cleared`,
	}
	for _, k := range FaultKinds() {
		members = append(members, k.Kind+": "+k.About)
	}
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	body.DisallowUnknownFields()
	var in controlFault
	if err := body.Decode(&in); err != nil {
		complain(w, http.StatusBadRequest, "the body is not a fault: "+err.Error(), members...)
		return
	}
	f := Fault{Kind: in.Kind, Person: in.Person, RetryAfter: in.RetryAfter, Times: in.Times}
	if in.Latency != "" {
		d, err := time.ParseDuration(in.Latency)
		if err != nil {
			complain(w, http.StatusBadRequest, "latency is not a duration: "+err.Error(), members...)
			return
		}
		f.Latency = d
	}
	if err := s.SetFault(r.PathValue("vendor"), f); err != nil {
		complain(w, http.StatusBadRequest, err.Error(), members...)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Simulation) deleteFaults(w http.ResponseWriter, r *http.Request) {
	vendor := r.PathValue("vendor")
	if !slices.Contains(Vendors(), vendor) {
		complain(w, http.StatusBadRequest, fmt.Sprintf("no vendor %q", vendor), Vendors()...)
		return
	}
	s.ClearFaults(vendor)
	w.WriteHeader(http.StatusNoContent)
}

// getPeople shows a hundred people unless told otherwise.
func (s *Simulation) getPeople(w http.ResponseWriter, r *http.Request) {
	var tenants, traits, dangers []string
	for _, t := range s.population.tenants {
		tenants = append(tenants, t.Name)
	}
	for _, t := range Traits() {
		traits = append(traits, t.Name)
	}
	for _, k := range DangerKinds() {
		dangers = append(dangers, k.Kind)
	}
	q := r.URL.Query()
	tenant, trait, danger, limit := q.Get("tenant"), q.Get("trait"), q.Get("danger"), 100
	if tenant != "" && !slices.Contains(tenants, tenant) {
		complain(w, http.StatusBadRequest, fmt.Sprintf("no tenant %q", tenant), tenants...)
		return
	}
	if trait != "" && !slices.Contains(traits, trait) {
		complain(w, http.StatusBadRequest, fmt.Sprintf("no trait %q", trait), traits...)
		return
	}
	if danger != "" && !slices.Contains(dangers, danger) {
		complain(w, http.StatusBadRequest, fmt.Sprintf("no danger %q", danger), dangers...)
		return
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			complain(w, http.StatusBadRequest, fmt.Sprintf("limit is %q", text), "a whole number above zero")
			return
		}
		limit = n
	}
	found := controlPeople{People: []controlPerson{}}
	for _, p := range s.population.people {
		if (tenant == "" || p.Tenant == tenant) && (trait == "" || p.Has(trait)) &&
			(danger == "" || p.Danger != nil && p.Danger.Kind == danger) {
			if found.Total++; found.Total <= limit {
				found.People = append(found.People, controlPerson{
					p.Tenant, p.IDs, append([]string{}, p.Traits...), p.FaultAt, (*controlDanger)(p.Danger),
				})
			}
		}
	}
	document(http.StatusOK, found).write(w)
}

func controlFaults(faults map[string][]Fault) map[string][]controlFault {
	out := make(map[string][]controlFault)
	for vendor, list := range faults {
		out[vendor] = []controlFault{}
		for _, f := range list {
			c := controlFault{Kind: f.Kind, Person: f.Person, RetryAfter: f.RetryAfter, Times: f.Times}
			if f.Latency > 0 {
				c.Latency = f.Latency.String()
			}
			out[vendor] = append(out[vendor], c)
		}
	}
	return out
}

func complain(w http.ResponseWriter, status int, what string, accepted ...string) {
	document(status, controlError{what, accepted}).write(w)
}
