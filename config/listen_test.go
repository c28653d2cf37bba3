package config_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"muster/config"
)

const listening = `listen:
  address: "%s"
  tls: {cert: testdata/tls/one.pem, key: testdata/tls/one.key}
  trusted_proxies: [10.0.0.0/8, 192.0.2.7, "2001:db8::/32"]
tenants: {acme: {}}
callers: [{issuer: https://login.example.com/, audiences: muster, tenant: acme}]
providers: [{use: slack, with: {token: x}}]
`

// TestListen: what `listen` says is in force, and what an operator should know of it
// is told: that a certificate has expired, and that nobody encrypts.
func TestListen(t *testing.T) {
	t.Parallel()
	file, err := config.Parse("gateway.yaml", fmt.Appendf(nil, listening, "0.0.0.0:8443"))
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")}
	if got := file.Static.Listen.TrustedProxies; !slices.Equal(got, want) {
		t.Errorf("trusted: %v", got)
	}
	expired := "the certificate at gateway.yaml:3:15 has expired on 2020-04-01 00:00 UTC: clients refuse it"
	if file.Identity == nil || !slices.Contains(file.Notes, expired) {
		t.Errorf("notes: %q", file.Notes)
	}
	clear := func(address string, without ...string) bool {
		text := fmt.Sprintf(listening, address)
		lines := slices.Collect(strings.Lines(text))
		text = strings.Join(slices.DeleteFunc(lines, func(line string) bool {
			return slices.ContainsFunc(without, func(key string) bool { return strings.Contains(line, key) })
		}), "")
		file, err := config.Parse("gateway.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(file.Notes, func(note string) bool { return strings.Contains(note, "without TLS") })
	}
	for name, got := range map[string]bool{
		"nobody encrypts":     clear("0.0.0.0:8080", "tls:", "trusted_proxies:"),
		"on this machine":     !clear("127.0.0.1:8080", "tls:", "trusted_proxies:"),
		"a proxy is in front": !clear("0.0.0.0:8080", "tls:"),
		"the gateway does":    !clear("0.0.0.0:8080", "trusted_proxies:"),
	} {
		if !got {
			t.Errorf("%s: it is told otherwise", name)
		}
	}
}
