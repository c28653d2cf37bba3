package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/adapters"
	"muster/config/document"
	"muster/gateway/httpapi/bearer"
	"muster/normalize"
)

func verifyCommand() *cobra.Command {
	var v verifying
	command := &cobra.Command{
		Use:   "verify [TOKEN|-]",
		Short: "Show, check by check, whether a caller's token is believed",
		Long: "Show, check by check, whether a caller's token is believed, by the keys of a file (a JWK Set) or\n" +
			"by those that an issuer tells, as the gateway would ask for them. What is not given is not\n" +
			"compared: the issuer, the audience. Where there is nothing to compare and what is signed is no\n" +
			"JSON object, the signature alone is looked at. The token is never written; - reads it from\n" +
			"standard input, which keeps it out of the list of processes and the shell's history.\n\n" +
			"The exit code is 0 when every check passes, 1 when one does not or the keys cannot be had.",
		Example: "  muster verify --issuer https://login.example.com/ --audience muster - <token\n" +
			"  muster verify --issuer https://login.internal/ --ca ca.pem --audience muster - <token\n" +
			"  muster verify --jwks keys.json --type JWT \"$TOKEN\"",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := "-"
			if len(args) > 0 {
				text = args[0]
			}
			return v.run(cmd, text)
		},
	}
	flags := command.Flags()
	flags.StringVar(&v.keys, "jwks", "", "a file that holds a JWK Set")
	flags.StringVar(&v.issuer, "issuer", "", "whose token it must be; without --jwks its keys are asked for")
	flags.StringVar(&v.ca, "ca", "", "PEM: the authorities that the issuer's certificate must come from, in place of the system's")
	flags.StringArrayVar(&v.audiences, "audience", nil, "whom it must be for; may be given several times")
	flags.StringArrayVar(&v.clients, "client", nil, "who may have asked for a token that is for several; may be given several times")
	flags.StringArrayVar(&v.types, "type", []string{"at+jwt"}, "of which type it must be; JWT is also a token that does not say")
	flags.DurationVar(&v.leeway, "leeway", 30*time.Second, "how wrong clocks may be")
	return command
}

// verifying is what a token is held against.
type verifying struct {
	keys, issuer, ca          string
	audiences, clients, types []string
	leeway                    time.Duration
}

func (v *verifying) run(cmd *cobra.Command, text string) error {
	by, err := v.rules()
	if err != nil {
		return err
	}
	token := text
	if text == "-" {
		if token, err = readToken(cmd.InOrStdin()); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 15*time.Second)
	defer cancel()
	findings, err := bearer.Explain(ctx, by, token)
	if err == nil && v.issuer == "" && v.audiences == nil && withoutClaims(findings) {
		by.Signature = true
		findings, err = bearer.Explain(ctx, by, token)
	}
	if err != nil {
		return err
	}
	verdict := "The token is believed."
	if by.Signature {
		verdict = "The signature is by one of the keys; there are no claims to believe."
	}
	return tellFindings(cmd.OutOrStdout(), findings, verdict)
}

// rules are those of an entry under `callers`.
func (v *verifying) rules() (by bearer.By, err error) {
	subject, err := normalize.ParsePath("sub")
	if err != nil {
		return by, err
	}
	by.Issuer = bearer.Issuer{Name: v.issuer, Audiences: v.audiences, Clients: v.clients, Types: v.types, Leeway: v.leeway, Claims: bearer.Claims{Subject: &subject}}
	switch {
	case v.leeway < 0:
		return by, wrongUse("clocks are wrong by no less than nothing", "--leeway 30s")
	case v.ca != "" && (v.keys != "" || !strings.HasPrefix(v.issuer, "https://")):
		return by, wrongUse("no connection is made whose certificate --ca could be for", "--issuer https://login.example.com/ --ca ca.pem, without --jwks")
	case v.keys != "":
		if by.KeySet, err = document.ReadFile(v.keys); err != nil {
			return by, &mistakeError{message: err.Error()}
		}
	case v.issuer == "":
		return by, wrongUse("there are no keys to verify the token by", "--jwks FILE, or --issuer URL")
	default:
		by.Transport, err = issuerTransport(v.issuer, v.ca)
	}
	return by, err
}

// issuerTransport asks one issuer, wherever it is: who names it on this machine means it.
// Elsewhere keys come by https alone.
func issuerTransport(issuer, ca string) (http.RoundTripper, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, wrongUse("that is no issuer's address", "--issuer https://login.example.com/")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, wrongUse("whoever is on the way could give this issuer keys of their own", "write https; http is for this machine alone")
	}
	transport, err := adapters.NewTransport(&adapters.Egress{Private: []string{u.Hostname()}}, adapters.TLSFiles{CA: ca})
	if err != nil {
		return nil, &mistakeError{message: strings.TrimPrefix(err.Error(), "tls.ca: ")}
	}
	return transport, nil
}

// readToken reads a token, and what little may stand around it. What is too long is told
// by the checks.
func readToken(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, 2*bearer.MaxToken))
	if err != nil {
		return "", errors.New("the token cannot be read from standard input")
	}
	return strings.Trim(string(text), " \t\r\n"), nil
}

// withoutClaims tells that a token is signed, and that what is signed is no claims.
func withoutClaims(findings []bearer.Finding) bool {
	for _, f := range findings {
		if f.Check == "payload" {
			return !f.OK
		}
	}
	return false
}

func tellFindings(w io.Writer, findings []bearer.Finding, verdict string) error {
	paint := painter(colours(w))
	failed := 0
	for _, f := range findings {
		mark := paint.in(green, "✓")
		if !f.OK {
			mark = paint.in(red, "✗")
			failed++
		}
		line := mark + " " + strings.TrimRight(fmt.Sprintf("%-12s  %s", f.Check, f.Text), " ")
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	if failed > 0 {
		_, _ = fmt.Fprintf(w, "\nThe token is not believed: it fails %d of %d checks.\n", failed, len(findings))
		return exitError(exitWrong)
	}
	_, err := fmt.Fprintln(w, "\n"+verdict)
	return err
}
