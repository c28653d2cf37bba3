package adapters

import (
	"net/netip"
	"slices"
)

// public tells whether an address is one of the open Internet, where an upstream may be:
// none of the ranges that IANA's special-purpose registries (RFC 6890) set aside, and
// none that carries an IPv4 address of such a range inside.
func public(a netip.Addr) bool {
	a = a.Unmap()         // one with a zone is in no prefix, and so not public
	if inside(a, nat64) { // RFC 6052: a network of IPv6 alone reaches all of IPv4 by it
		raw := a.As16()
		a = netip.AddrFrom4([4]byte(raw[12:]))
	}
	if a.Is4() {
		return !slices.ContainsFunc(setAside4(), func(prefix string) bool { return inside(a, prefix) })
	}
	return inside(a, unicast6) && !slices.ContainsFunc(setAside6(), func(prefix string) bool { return inside(a, prefix) })
}

func inside(a netip.Addr, prefix string) bool { return netip.MustParsePrefix(prefix).Contains(a) }

// setAside4 are the ranges of IPv4 that are no host's on the open Internet.
func setAside4() []string {
	return []string{
		"0.0.0.0/8",       // this network; some systems take it for loopback
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // private in all but name (RFC 6598), and where some clouds keep their metadata
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, and where most clouds keep their metadata
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments; metadata in one cloud
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // relays of 6to4
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarks of networks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, and broadcast
	}
}

const (
	nat64    = "64:ff9b::/96"
	unicast6 = "2000::/3" // all of IPv6 that has been given out: the rest is loopback, local, mapped, or nobody's
)

// setAside6 are those of unicast6.
func setAside6() []string {
	return []string{
		"2001::/23",     // protocol assignments; Teredo, which carries an IPv4 address
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4, which carries an IPv4 address
		"3fff::/20",     // documentation
	}
}
