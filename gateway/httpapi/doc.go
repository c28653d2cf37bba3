// Package httpapi is the front door: it turns an HTTP request into a
// gateway.Query, and a gateway.Answer into an HTTP response. It decides nothing
// about people.
//
// There are two doors. New is the public one, a Gin engine:
//
//	ready := httpapi.NewReadiness()
//	public := &http.Server{Handler: httpapi.New(engine, httpapi.Options{
//		TracerProvider: tracers, MeterProvider: meters, Log: log,
//		Origins: []string{"https://portal.example"}, Ready: ready,
//	})}
//
// Admin is for operators, on a listener that the public cannot reach:
//
//	admin := &http.Server{Handler: httpapi.Admin(httpapi.AdminOptions{Ready: ready, Metrics: metrics})}
//
//	ready.Set(true)  // from now on /readyz says so on both
//	ready.Set(false) // and before a shutdown it stops saying so
//
// A request passes the files of this package in this order:
//
//	routes.go   everything that is served, and what stands before it
//	trace.go    a span continues the caller's trace; its id is the Operation-Id
//	scrub.go    and nothing about a person gets into the span
//	log.go      one line a request, with a pseudonym of whom it is about, and a 500 in place of a panic
//	limits.go   how long an address and a header may be
//	cors.go     which pages may call from a browser
//	auth.go     who asks; package bearer knows whose tokens are believed, and
//	            package clientcert whose certificates
//	request.go  path, query and headers become a gateway.Query; header.go helps
//	lookup.go   the engine is asked, me.go for whoever asks; batch.go asks for several
//	            people at once, purge.go has one forgotten, and providers.go tells whom it
//	            could ask
//	respond.go  a profile goes out, with what a client may keep of it
//	problem.go  a refusal goes out: every error answer of the package
//
// The contract is openapi.yaml, which is served at /openapi.yaml. docs.go makes
// the page at /docs of it, with specification.go to read it and prose.go for its
// texts. Tests hold the routes and real answers against the contract, so the
// three cannot drift apart.
//
// Probes are answered by ready.go on both doors; admin.go has the rest of what
// operators see.
package httpapi
