// Package simulator plays the five upstream identity systems of the seed documents as HTTP servers on loopback, with a
// population that is as awkward as real directories are, and with faults on demand. It stands in for the vendors in
// demonstrations, in end-to-end tests and under load; it is written from their documents alone, so that a definition
// which misreads a document fails against it.
//
// # A first simulation
//
//	sim := simulator.New(1)
//	run, err := sim.Start(ctx)                    // one listener per vendor, one for control, all on 127.0.0.1
//	if err != nil { … }
//	defer run.Close()
//	run.Addr["numium"]                            // "127.0.0.1:41873"
//	sim.Credentials()["numium"].Token             // what a client must present there
//
// The same seed gives the same people, credentials, tokens and bytes. Expiries of roles lie around the day that
// the clock shows, so a test that compares bytes across days pins it with [WithClock].
//
// Where each vendor lives. Hosts matter to [Simulation.Handler], which serves all of them behind one listener; a
// server of [Simulation.Vendor] answers to any host. KOBIL's tenant is the first label of the host in both cases.
//
//	aveva    uswe.datahub.example               GET  /api/v1/tenants/{guid}/users/{guid}/UserInformation
//	                                            POST /identity/connect/token
//	itwin    api.bentley.com                    GET  /users/{guid}
//	                                            GET  /users/?$search=
//	         ims.bentley.com                    POST /connect/token
//	kobil    {tenant}.ssms.example.com          GET  /digitanium/v4/users/{userName}/profile
//	                                            GET  /digitanium/v4/users?email=
//	         shift.example.com                  GET  /auth/realms/{tenant}/v3_user/{userName}
//	                                            GET  /auth/realms/{tenant}/v3_user/getusers/?email=
//	numium   api.example.com                    GET  /tenant/{int64}/admin/user/{int64}
//	                                            GET  /tenant/admin/user/by_email?email=
//	csp      console.cloud.example              GET  /csp/gateway/am/api/v2/users/{userId}/orgs/{guid}/info
//	                                            GET  /csp/gateway/am/api/orgs/{guid}/users/search?userSearchTerm=
//	                                            POST /csp/gateway/am/api/auth/api-tokens/authorize
//
// # People
//
// Three tenants, acme, globex and initech, share the people. The first of acme is Casey Taylor, known to all five
// systems and well-formed in each; the second, Jordan Rivera, is known to all five and described differently by each.
// Then comes one person for every awkwardness, found by its trait, and then a crowd in which awkwardness mixes:
//
//	p, ok := sim.WithTrait("null-names")          // KOBIL sends [null] for both names
//	p.IDs["username"], p.IDs["csp"]               // what the systems that know the person call them
//	p.Accounts["csp"].FamilyName                  // what one system says: the truth that an answer is held against
//
// Traits returns all of them. The first person of globex is another Casey Taylor with the same user name and the same
// Numium number as the first of acme: whoever mixes up tenants shows it here.
//
// Each tenant speaks its vendor's other documented (or plausible) dialect: Numium answers globex with data in place of
// value; KOBIL says "OK" to globex and sends initech a list of one; AVEVA names initech's claims as WS-Federation does.
//
// # Dangerous people
//
// The last of the people are those whom one can take for another: two with one address, an attacker with a victim's,
// and so on, each kind several times in each tenant. They come in cases of one or two:
//
//	for _, p := range sim.Dangerous("unverified-address") {
//		p.Danger.Part                         // "victim" or "attacker"
//		p.Danger.Mark                         // a canary: in an answer about anybody else it is a person taken for another
//	}
//	sim.Owner("kobil", "acme", "ann.lee")         // whose record that really is
//	sim.Holders("acme", "ann.lee@acme.example")   // whose address that really is
//
// # Faults
//
//	sim.SetFault("csp", simulator.Fault{Kind: "429", RetryAfter: "17"})
//	sim.SetFault("numium", simulator.Fault{Kind: "hang", Person: "256", Times: 1})
//	sim.ClearFaults("")
//
// FaultKinds lists what can go wrong. A few people of initech carry a trait "fault:KIND" and fail so in the system
// [Person].FaultAt for ever, so that a demonstration needs no switches.
//
// # Canaries
//
// Texts that begin with "CANARY-" must never leave a gateway: some of CSP's people have one as their password, and
// every 500 carries one in its body.
//
// # Control
//
// The control endpoint does the same over HTTP, for people with curl and for load generators:
//
//	curl -X PUT    $CONTROL/faults/csp -d '{"kind":"429","retryAfter":"17"}'
//	curl           $CONTROL/faults
//	curl -X DELETE $CONTROL/faults/csp
//	curl          "$CONTROL/people?tenant=acme&trait=many-roles&limit=1"
//	curl          "$CONTROL/people?tenant=acme&danger=shared-address"
//	curl           $CONTROL/calls
package simulator
