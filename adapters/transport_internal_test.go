package adapters

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// specialPurpose are the registries of IANA for IPv4 and IPv6 as of 2026, and what the
// address architecture (RFC 4291) sets aside besides.
var specialPurpose = []string{
	"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32",
	"192.0.2.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",

	"::1/128", "::/128", "::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
	"2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28",
	"2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fd00::/8", "fe80::/10", "fec0::/10", "ff00::/8",
	"400::/6", "1000::/4", "4000::/3", "8000::/3", "e000::/4",

	// IPv4 within IPv6: mapped, by NAT64.
	"::ffff:0.0.0.0/104", "::ffff:10.0.0.0/104", "::ffff:100.64.0.0/106", "::ffff:127.0.0.0/104", "::ffff:169.254.0.0/112", "::ffff:192.168.0.0/112", "::ffff:240.0.0.0/100",
	"64:ff9b::/104", "64:ff9b::10.0.0.0/104", "64:ff9b::100.64.0.0/106", "64:ff9b::127.0.0.0/104", "64:ff9b::169.254.0.0/112", "64:ff9b::172.16.0.0/108", "64:ff9b::192.168.0.0/112",
	"64:ff9b::192.0.0.0/120", "64:ff9b::198.18.0.0/111", "64:ff9b::224.0.0.0/100", "64:ff9b::240.0.0.0/100",
	// 6to4 and Teredo (which turns the bits of the client's address around), of 127.0.0.1, 10.0.0.1 and 192.168.0.1.
	"2002:7f00:1::/48", "2002:a00:1::/48", "2002:c0a8:1::/48", "2001:0:808:808::80ff:fffe/128", "2001:0:a00:1::/64",
}

// What is set aside is refused in every spelling that a resolver may give, from the
// first address of a range to the last.
func TestPublicAddresses(t *testing.T) {
	for _, address := range []string{
		"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "203.0.112.255", "203.0.114.0", "223.255.255.255",
		"2001:200::", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2600::1", "3ffe::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	} {
		if !public(netip.MustParseAddr(address)) {
			t.Errorf("%s is taken for private", address)
		}
	}
	refused := func(a netip.Addr) {
		t.Helper()
		if public(a) {
			t.Errorf("%s is taken for public", a)
		}
		if a.Is6() && public(a.WithZone("lo")) {
			t.Errorf("%s is taken for public with a zone", a)
		}
		if a.Is4() && public(netip.AddrFrom16(a.As16())) {
			t.Errorf("%s is taken for public where it is mapped", a)
		}
	}
	for _, text := range specialPurpose {
		prefix := netip.MustParsePrefix(text)
		first, last := prefix.Masked().Addr(), prefix.Masked().Addr().AsSlice()
		for bit := prefix.Bits(); bit < 8*len(last); bit++ {
			last[bit/8] |= 1 << (7 - bit%8)
		}
		end, _ := netip.AddrFromSlice(last)
		refused(first)
		refused(first.Next())
		refused(end)
	}
}

// answering is a name server that gives every name the same addresses.
func answering(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			for _, text := range addresses {
				a := netip.MustParseAddr(text)
				header := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1}
				switch {
				case a.Is4() && m.Questions[0].Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
				case a.Is6() && m.Questions[0].Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			if reply, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// TestEveryAnswerIsLookedAt: of all the addresses that a name has, none is connected to
// that is private, wherever it stands.
func TestEveryAnswerIsLookedAt(t *testing.T) {
	var reached atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, answers := range [][]string{
		{"127.0.0.1"},
		{"::ffff:127.0.0.1"},
		{"::1", "127.0.0.1"},
		{"10.0.0.1", "169.254.169.254", "127.0.0.1"},
		{"64:ff9b::7f00:1", "127.0.0.1"},
		{"240.0.0.1", "198.18.0.1", "127.0.0.1"},
		{"8.8.8.8", "127.0.0.1"}, // whether the first can be reached is nothing that a test knows
		{"127.0.0.1", "8.8.8.8"},
	} {
		dialer, address := new(Egress).dialer("h.example:" + port)
		dialer.Resolver, dialer.Timeout = answering(t, answers...), 300*time.Millisecond
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		if answers[0] != "8.8.8.8" && !errors.Is(err, errPrivate) {
			t.Errorf("%v: %v", answers, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
	// The test can fail: who is named is connected to.
	dialer, address := (&Egress{Private: []string{"h.example"}}).dialer("h.example:" + port)
	dialer.Resolver = answering(t, "127.0.0.1")
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
