package bearer

// Refusal is why a token is not believed. Its text is one of a closed set and holds
// nothing of the token.
type Refusal struct {
	Check  string // which check the token did not pass
	Reason string // a sentence for the caller, printable ASCII without quotes

	// Unready tells that nothing is wrong with the token as far as can be known: its
	// issuer's keys have not been had yet, and are being asked for.
	Unready bool
}

func refuse(check, reason string) *Refusal { return &Refusal{Check: check, Reason: reason} }
