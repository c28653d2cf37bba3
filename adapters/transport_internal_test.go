package adapters

import (
	"net/netip"
	"testing"
)

// What is private is refused in every spelling that a resolver may give.
func TestPublicAddresses(t *testing.T) {
	for _, address := range []string{"8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "2001:4860:4860::8888", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(address).Unmap()) {
			t.Errorf("%s is taken for private", address)
		}
	}
	for _, address := range []string{
		"0.0.0.0", "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.0", "100.127.255.255", "224.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%lo", "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1",
	} {
		if public(netip.MustParseAddr(address).Unmap()) {
			t.Errorf("%s is taken for public", address)
		}
	}
}
