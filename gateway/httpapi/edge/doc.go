// Package edge is where the front door meets the network: what a connection may cost
// before anybody knows who has come, and how the gateway shows who it is (TLS). It
// knows nothing of what is asked for.
package edge
