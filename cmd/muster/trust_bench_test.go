package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/adapters/simulator"
)

// trusts are callers and policies, from none to such as name who is asked for.
func trusts(i *issuer) map[string]string {
	callers := fmt.Sprintf("    127.0.0.1: {address: %q, plaintext: true}\ncallers:\n  - {issuer: %q, audiences: muster, claims: {tenant: org, user: {email: email}}}\n", i.Listener.Addr().String(), i.URL)
	const target = `policies:
  - {for: {scopes: profile.basic}, show: [userName, displayName, name, emails]}
  - {for: {claims: {groups: [hr, staff], email_verified: true}}, show: [active, groups, phoneNumbers]}
  - {for: {cel: '"staff" in caller.claims.groups && caller.claims.org == "acme"'}, show: [roles, organizations, attributes]}
  - {for: {cel: 'caller.user.email == target.id.email'}, show: "*"}
  - {for: {cel: '"muster.support" in caller.scopes && target.id.email.endsWith("@example.com")'}, show: [title, department]}
`
	return map[string]string{
		"nobody": "",
		"scope":  callers + "policies: [{for: {scopes: profile.full}, show: \"*\"}]\n",
		"self":   callers + target,
		"others": callers + target,
	}
}

// client asks the same on one connection again and again, and costs next to nothing:
// what the process spends is the gateway's.
type client struct {
	conn     net.Conn
	reader   *bufio.Reader
	requests [][]byte
	next     int
}

func (c *client) ask(b *testing.B) {
	b.Helper()
	if _, err := c.conn.Write(c.requests[c.next%len(c.requests)]); err != nil {
		b.Fatal(err)
	}
	c.next++
	status, err := c.reader.ReadSlice('\n')
	if err != nil || !strings.HasPrefix(string(status), "HTTP/1.1 200 ") {
		b.Fatalf("%s, %v", status, err)
	}
	length := -1
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(line) == 2 {
			break
		}
		if name, value, _ := strings.Cut(string(line), ":"); name == "Content-Length" {
			if length, err = strconv.Atoi(textproto.TrimString(value)); err != nil {
				b.Fatal(err)
			}
		}
	}
	if n, err := io.CopyN(io.Discard, c.reader, int64(length)); err != nil {
		b.Fatalf("%d of %d bytes: %v", n, length, err)
	}
}

// spent is the time of all processors that this process has had.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkTrust asks for somebody whom the cache knows, over HTTP and in turn: of a gateway
// without callers, of one whose sixteen callers come with RS256 tokens and are shown all by
// a scope, and of two whose policies look at claims and at who is asked for: the callers are
// the person, or others. The ratios are of the processors' time; a third more is what trust
// may cost.
func BenchmarkTrust(b *testing.B) {
	i := newIssuer(b)
	for name, query := range map[string]string{"five": "", "one": "?sources=numium"} {
		b.Run(name, func(b *testing.B) {
			order := []string{"nobody", "scope", "self", "others"}
			clients := make([]*client, len(order))
			for n, way := range order {
				clients[n] = newClient(b, i, trusts(i)[way], query, way == "others")
			}
			sums := make([]time.Duration, len(order))
			const block = 64
			for b.Loop() {
				for n := range order {
					before := spent(b)
					for range block {
						clients[n].ask(b)
					}
					sums[n] += spent(b) - before
				}
			}
			for n, way := range order {
				b.ReportMetric(float64(sums[n].Nanoseconds())/float64(b.N*block), way+"-ns/lookup")
				if n > 0 {
					b.ReportMetric(float64(sums[n])/float64(sums[0]), way+"/nobody")
				}
			}
		})
	}
}

// newClient is one of a gateway of its own.
func newClient(b *testing.B, i *issuer, trust, query string, others bool) *client {
	b.Helper()
	w := newBenchmark(b)
	casey := w.simulation.People()[0]
	w.lookup(casey, "email")
	if trust != "" {
		now := w.follow()
		w.rewrite(func(text string) string {
			at := strings.Index(text, "\ncache: ")
			return text[:at+1] + trust + text[at+1:]
		})
		now <- struct{}{}
	}
	c := &client{}
	for n := range 16 {
		claims := claimsOf(casey, n)
		if others {
			claims["email"] = "somebody.else@example.com"
		}
		c.requests = append(c.requests, requestOf(b, w, i, casey, claims, query, trust != ""))
	}
	var err error
	if c.conn, err = (&net.Dialer{}).DialContext(b.Context(), "tcp", w.Address); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.conn.Close() })
	c.reader = bufio.NewReaderSize(c.conn, 64<<10)
	w.until("callers are known", func() bool {
		got := w.ask("GET", w.address(casey, "email")+query, "", "Authorization", "Bearer "+i.token(b, claimsOf(casey, 0)))
		return got.Status == 200
	})
	return c
}

func claimsOf(p simulator.Person, n int) map[string]any {
	return map[string]any{
		"sub": fmt.Sprint("caller-", n), "org": p.Tenant, "scope": "openid profile.basic profile.full", "email": p.IDs["email"], "email_verified": true,
		"groups": []string{"staff", "research", "paris"}, "name": "Somebody Else", "azp": "portal", "auth_time": time.Now().Unix(), "acr": "urn:acme:silver",
	}
}

func requestOf(b *testing.B, w *world, i *issuer, p simulator.Person, claims map[string]any, query string, known bool) []byte {
	b.Helper()
	_, path, _ := strings.Cut(w.address(p, "email")+query, w.Address)
	request := "GET " + path + " HTTP/1.1\r\nHost: muster.example\r\nAccept: application/json\r\n"
	if known {
		request += "Authorization: Bearer " + i.token(b, claims) + "\r\n"
	}
	return []byte(request + "\r\n")
}
