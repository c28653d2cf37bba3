package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkOverload asks for five times as much as a gateway with one processor can do.
// Beside the peak, which as many clients as keep it busy reach, it tells what share of it
// is still done, how long those wait who are done and who are refused, and how long it
// takes until nobody is refused any more. The gateway is a process of its own, and so
// cheap a client asks that it does not hold it up; the upstream takes its time, and some
// of the processor's that the client has.
func BenchmarkOverload(b *testing.B) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * time.Millisecond)
		_, _ = io.WriteString(w, `{"id": "1", "mail": "casey@acme.example", "name": "Casey"}`)
	}))
	b.Cleanup(upstream.Close)
	address := serveApart(b, upstream.Listener.Addr().String())
	for name, cacheControl := range map[string]string{"cached": "max-stale", "asked": "no-cache"} {
		request := fmt.Sprintf("GET /v1/tenants/acme/users/email:casey@acme.example HTTP/1.1\r\nHost: muster\r\nCache-Control: %s\r\n\r\n", cacheControl)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				const lasts = 3 * time.Second
				peak := ask(b, address, request, 24, 0, lasts)
				most := float64(len(peak.done)) / lasts.Seconds()
				flood := ask(b, address, request, 500, 5*most, lasts)
				begin := time.Now()
				ask(b, address, request, 12, 0, 100*time.Millisecond)
				for calm := ask(b, address, request, 8, most/2, 200*time.Millisecond); len(calm.refused) > 0; {
					calm = ask(b, address, request, 8, most/2, 200*time.Millisecond)
				}
				b.ReportMetric(most, "peak/s")
				b.ReportMetric(float64(len(flood.done)+len(flood.refused))/lasts.Seconds()/most, "asked/peak")
				b.ReportMetric(float64(len(flood.done))/lasts.Seconds()/most, "done/peak")
				b.ReportMetric(percentile(peak.done, 0.99), "peak-p99-ms")
				b.ReportMetric(percentile(flood.done, 0.99), "done-p99-ms")
				b.ReportMetric(percentile(flood.refused, 0.5), "refused-p50-ms")
				b.ReportMetric(percentile(flood.refused, 0.99), "refused-p99-ms")
				b.ReportMetric(time.Since(begin).Seconds(), "recovered-s")
			}
		})
	}
}

// BenchmarkNeighbours asks in peace, and beside those who are slow, each in one of the ways
// of slowhttptest, of whom 500 more come each second, or who ask for more than their
// tenant may: what 99 of 100 lookups take at most is to be read against "alone".
func BenchmarkNeighbours(b *testing.B) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id": "1", "mail": "casey@acme.example", "name": "Casey"}`)
	}))
	b.Cleanup(upstream.Close)
	address := serveApart(b, upstream.Listener.Addr().String())
	lookup := func(tenant string) string {
		return "GET /v1/tenants/" + tenant + "/users/email:casey@acme.example HTTP/1.1\r\nHost: muster\r\n\r\n"
	}
	const body = "POST /v1/tenants/acme/lookups HTTP/1.1\r\nHost: muster\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
	for _, neighbour := range []struct {
		name  string
		slow  string // what a slow one sends at once; then a byte in a while
		flood bool
	}{
		{name: "alone"},
		{name: "slow headers", slow: "GET / HTTP/1.1\r\nX: "},
		{name: "slow bodies", slow: body},
		{name: "slow readers", slow: strings.Repeat(lookup("acme"), 3)},
		{name: "flood", flood: true},
	} {
		b.Run(neighbour.name, func(b *testing.B) {
			for b.Loop() {
				const lasts, slow = 4 * time.Second, 2000
				var beside sync.WaitGroup
				for i := range slow {
					if neighbour.slow != "" {
						beside.Go(func() {
							comes := time.Duration(i) * lasts / slow
							time.Sleep(comes)
							crawl(address, neighbour.slow, lasts-comes)
						})
					}
				}
				if neighbour.flood {
					beside.Go(func() {
						b.ReportMetric(float64(len(ask(b, address, lookup("busy"), 50, 2000, lasts).limited))/lasts.Seconds(), "limited/s")
					})
				}
				good := ask(b, address, lookup("acme"), 10, 200, lasts)
				beside.Wait()
				b.ReportMetric(percentile(good.done, 0.5), "p50-ms")
				b.ReportMetric(percentile(good.done, 0.99), "p99-ms")
				b.ReportMetric(float64(len(good.done))/lasts.Seconds(), "done/s")
			}
		})
	}
}

// crawl connects, sends something, and from then on a byte in a while. It reads nothing.
func crawl(address, first string, lasts time.Duration) {
	until := time.Now().Add(lasts)
	conn, err := net.Dial("tcp", address) //nolint:noctx // to this machine
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(until)
	for _, err = io.WriteString(conn, first); err == nil && time.Now().Before(until); _, err = io.WriteString(conn, "x") {
		time.Sleep(200 * time.Millisecond)
	}
}

// serveApart runs the program with one processor, before an upstream.
func serveApart(b *testing.B, upstream string) (address string) {
	b.Helper()
	dir := b.TempDir()
	free, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = free.Addr().String()
	if err := free.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "providers"), 0o700); err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"gateway.yaml": `
listen: {address: "` + address + `", admin: "127.0.0.1:0"}
tenants: {acme: {}, busy: {rate: 50/s}}
identifiers: {accept: [email]}
providers: [{use: people}]
egress: {connect: {"*.example": {address: "` + upstream + `", plaintext: true}}}
`,
		"providers/people.yaml": `
provider: people
auth: {none: true}
lookup: GET https://people.example/people?mail={id.email}
ids: {self: id, email: {path: mail, verified: assumed}}
profile: {displayName: name, emails: mail}
tests:
  - name: somebody
    with: {id: {email: casey@acme.example}}
    reply: {json: {id: "1", mail: casey@acme.example, name: Casey}}
    expect: {outcome: ok}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	var log strings.Builder
	serving := exec.CommandContext(b.Context(), os.Args[0]) // the test, which is the program where it is called so
	serving.Args = []string{"muster", "serve", "--config", filepath.Join(dir, "gateway.yaml")}
	serving.Env = append(os.Environ(), "GOMAXPROCS=1")
	serving.Stderr = &log
	if err := serving.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = serving.Process.Kill()
		_ = serving.Wait()
		if b.Failed() {
			b.Log(log.String())
		}
	})
	for range 200 {
		response, err := http.Get("http://" + address + "/v1/tenants/acme/users/email:casey@acme.example") //nolint:noctx // it is bounded by the loop
		if err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK {
			return address
		}
		time.Sleep(25 * time.Millisecond)
	}
	b.Fatal("no answer after five seconds")
	return ""
}

// asked is how long each answer took, by what it was.
type asked struct{ done, refused, limited []time.Duration }

// ask sends a request over and over by so many connections; so often in a second
// altogether, or, where the rate is 0, as soon as there is an answer.
func ask(b *testing.B, address, request string, connections int, rate float64, lasts time.Duration) asked {
	b.Helper()
	results := make([]asked, connections)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range results {
		all.Go(func() {
			conn, err := net.Dial("tcp", address) //nolint:noctx // to this machine
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			answers := bufio.NewReader(conn)
			for n := 0; time.Since(begin) < lasts; n++ {
				if rate > 0 {
					time.Sleep(time.Until(begin.Add(time.Duration((float64(n) + float64(i)/float64(connections)) * float64(connections) / rate * float64(time.Second)))))
				}
				from := time.Now()
				_, err := io.WriteString(conn, request)
				status, _, failed := readAnswer(answers)
				switch took := time.Since(from); {
				case err != nil || failed != nil:
					b.Error(err, failed)
					return
				case status == http.StatusOK:
					results[i].done = append(results[i].done, took)
				case status == http.StatusServiceUnavailable:
					results[i].refused = append(results[i].refused, took)
				case status == http.StatusTooManyRequests:
					results[i].limited = append(results[i].limited, took)
				default:
					b.Errorf("status %d", status)
				}
			}
		})
	}
	all.Wait()
	var sum asked
	for _, r := range results {
		sum.done, sum.refused, sum.limited = append(sum.done, r.done...), append(sum.refused, r.refused...), append(sum.limited, r.limited...)
	}
	return sum
}

// readAnswer reads the next answer, its status and the length of its body.
func readAnswer(r *bufio.Reader) (status, length int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	_, _ = fmt.Sscanf(string(line), "HTTP/1.1 %d", &status)
	for len(line) > 2 {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if value, is := strings.CutPrefix(string(line), "Content-Length: "); is {
			_, _ = fmt.Sscan(value, &length)
		}
	}
	_, err = r.Discard(length)
	return status, length, err
}

func percentile(all []time.Duration, share float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[int(float64(len(all)-1)*share)].Microseconds()) / 1000
}
