package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"muster/config"
	"muster/config/document"
	"muster/gateway"
)

func pseudonymCommand() *cobra.Command {
	var o pseudonymOptions
	cmd := &cobra.Command{
		Use:   "pseudonym KIND:VALUE",
		Short: "Show what somebody is called in traces, the log and audit records",
		Long: "Show what somebody is called in traces, the log and audit records: the hash of an identifier by\n" +
			"`telemetry.key` of the gateway's file, or by a key that was there before. It is of each identifier\n" +
			"another one. With --issuer it is whoever asks that is shown, by the `sub` of their tokens.\n\n" +
			"The way back is to try: whoever has the key can find out whether a hash is somebody's, and no\n" +
			"more than that.",
		Example: "  muster pseudonym --tenant acme email:jane@acme.example\n" +
			"  muster pseudonym --key telemetry-key.2025 --tenant acme email:jane@acme.example\n" +
			"  muster pseudonym --issuer https://login.example.com/ 00u1a2b3c4",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			naming, err := config.LoadNaming(o.config)
			if err != nil {
				return told(cmd, err)
			}
			name, err := o.name(naming, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), name)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.config, "config", "c", "gateway.yaml", "the gateway's file")
	flags.StringVarP(&o.tenant, "tenant", "t", "", "whose person it is; may be left out where the file has one tenant")
	flags.StringVar(&o.key, "key", "", "a file that holds a key, in place of the file's")
	flags.StringVar(&o.issuer, "issuer", "", "who calls them so, where it is somebody who asks")
	return cmd
}

// pseudonymOptions are the flags of muster pseudonym.
type pseudonymOptions struct{ config, tenant, key, issuer string }

func (o *pseudonymOptions) name(naming config.Naming, who string) (string, error) {
	by := naming.Pseudonyms
	if o.key != "" {
		content, err := document.ReadFile(o.key)
		if err != nil {
			return "", wrongUse("the key cannot be read: %v", "--key FILE", err)
		}
		key := bytes.TrimRight(content, "\r\n") // as the gateway reads it
		if len(key) < gateway.MinPseudonymKey {
			return "", wrongUse("the key has %d bytes", fmt.Sprintf("a key has %d bytes or more", gateway.MinPseudonymKey), len(key))
		}
		by = gateway.NewPseudonyms(key)
	}
	if by == nil {
		return "", wrongUse("%s has no `telemetry.key`", "without one nobody can tell who was who: each process has its own", o.config)
	}
	if o.issuer != "" {
		return by.Caller(o.issuer, who), nil
	}
	tenants := slices.Sorted(maps.Keys(naming.Tenants))
	if o.tenant == "" && len(tenants) == 1 {
		o.tenant = tenants[0]
	}
	tenant := naming.Tenants[o.tenant]
	switch {
	case o.tenant == "":
		return "", wrongUse("the file has several tenants, and none is named", "write --tenant NAME; "+oneOfThese(o.tenant, tenants))
	case tenant == nil:
		return "", wrongUse("no tenant named %q", oneOfThese(o.tenant, tenants), o.tenant)
	}
	kind, value, refused := gateway.ParseUser(who, naming.Accept, tenant.DefaultIdentifier)
	if refused != nil {
		return "", wrongUse("%s", safe(refused.Resolution), safe(refused.Reason))
	}
	return by.Person(o.tenant, kind, value), nil
}
