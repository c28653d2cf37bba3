package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are whose forwarding headers are believed: what somebody else writes there
// is whatever they like.
type proxies []netip.Prefix

func (p proxies) trust(address netip.Addr) bool {
	for _, network := range p {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// client is the address that a request comes from: the peer's, or, behind trusted
// proxies, the last in X-Forwarded-For that is none of them. Each proxy adds whom it was
// asked by at the end, so what stands before that is hearsay.
func (p proxies) client(r *http.Request) netip.Addr {
	address, _ := parseAddress(r.RemoteAddr)
	hops := elements(r.Header.Values("X-Forwarded-For"), ',')
	for i := len(hops) - 1; i >= 0 && p.trust(address); i-- {
		next, ok := parseAddress(hops[i])
		if !ok {
			break
		}
		address = next
	}
	return address
}

// encrypted tells whether a request came over TLS, to here or to a trusted proxy.
func (p proxies) encrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	schemes := elements(r.Header.Values("X-Forwarded-Proto"), ',')
	peer, _ := parseAddress(r.RemoteAddr)
	return len(schemes) > 0 && p.trust(peer) && strings.EqualFold(schemes[len(schemes)-1], "https")
}

// parseAddress reads an address, with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), true
}
