package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muster/config"
	"muster/config/document"
	"muster/gateway/links"
)

// linksFlags say which table is meant, and whose links.
type linksFlags struct {
	config, url, tenant string
}

func linksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "links",
		Short: "Change and show the operator's links, where they are in a table",
		Long: "The operator's links say which identifiers are one person's. They are in a file, which is\n" +
			"edited, or in an SQL table (identifiers.links.sql of the gateway's file), which these commands\n" +
			"change. What is withdrawn is not found any more from then on, by any gateway at that table.\n\n" +
			"The exit code is 0 when all is well, 1 when something is wrong or the table cannot be asked,\n" +
			"2 when a file or the arguments are wrong, 3 when nobody is known by the identifier.",
		Example: "  muster links import people.csv --dry-run\n" +
			"  muster links list --tenant acme email:jane@acme.example\n" +
			"  muster links remove --tenant acme email:jane@acme.example\n" +
			"  muster links export --url sqlite:links.db > people.csv",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return wrongUse("no command %q", "there are: import, export, list, remove", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(linksImportCommand(), linksExportCommand(), linksListCommand(), linksRemoveCommand())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return wrongUse("%v", "--help lists the flags", err)
	})
	return cmd
}

func (f *linksFlags) add(cmd *cobra.Command, tenant string) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "gateway.yaml", "the gateway's file, which says where the table is")
	cmd.Flags().StringVar(&f.url, "url", "", "the table, in place of a gateway's file: sqlite:PATH or postgres://…")
	if tenant != "" {
		cmd.Flags().StringVarP(&f.tenant, "tenant", "t", "", tenant)
	}
}

// with opens the table for a command, and tells what went wrong with it.
func (f *linksFlags) with(cmd *cobra.Command, do func(ctx context.Context, t *config.LinksTable) error) error {
	if f.url != "" && cmd.Flags().Changed("config") {
		return wrongUse("--config and --url both say where the table is", "leave one of them out")
	}
	t, err := f.open()
	if err != nil {
		return err
	}
	err = f.knownTenant(t)
	if err == nil {
		err = do(cmd.Context(), t)
	}
	if errors.Is(err, links.ErrNoTable) {
		err = fmt.Errorf("there are no links at %s yet; `muster links import` puts some there", t.Address())
	}
	return errors.Join(err, t.Close())
}

func (f *linksFlags) open() (*config.LinksTable, error) {
	if f.url == "" {
		t, err := config.LoadLinks(f.config)
		if errors.Is(err, config.ErrNoLinksTable) {
			return nil, wrongUse("%v", "write identifiers.links.sql, or name a table with --url", err)
		}
		if err != nil {
			return nil, &mistakeError{message: err.Error()}
		}
		return t, nil
	}
	t, err := config.OpenLinks(f.url)
	if wrong := (*links.AddressError)(nil); errors.As(err, &wrong) {
		return nil, wrongUse("--url: %s", wrong.Hint, wrong.Message)
	}
	return t, err
}

// knownTenant refuses a tenant that the gateway's file does not have.
func (f *linksFlags) knownTenant(t *config.LinksTable) error {
	if f.tenant == "" || t.Tenants() == nil || slices.Contains(t.Tenants(), f.tenant) {
		return nil
	}
	return wrongUse("no tenant named %q", oneOfThese(f.tenant, t.Tenants()), f.tenant)
}

// identifier reads KIND:VALUE.
func identifier(t *config.LinksTable, text string) (kind, value string, err error) {
	kind, value, ok := strings.Cut(text, ":")
	switch why := links.Unfit(value); {
	case !ok || kind == "":
		return "", "", wrongUse("no kind of identifier", "write KIND:VALUE, for example email:jane@acme.example")
	case why != "":
		return "", "", wrongUse("%s", "write KIND:VALUE, for example email:jane@acme.example", why)
	case t.Kinds() != nil && !slices.Contains(t.Kinds(), kind):
		return "", "", wrongUse("no kind of identifier is named %q", oneOfThese(kind, t.Kinds()), kind)
	}
	return kind, value, nil
}

func linksImportCommand() *cobra.Command {
	var f linksFlags
	var how links.Import
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Put the people of a file into the table",
		Long: "Put the people of a file into the table: all of them, or, where one contradicts the file's own\n" +
			"others or the table, none. One who is known there by an identifier has the others as well\n" +
			"afterwards. The file is a YAML list, or CSV with a tenant column and a column for each kind.\n\n" +
			"--replace withdraws what else the table has of the tenants that are in the file.",
		Example: "  muster links import people.csv\n" +
			"  muster links import people.yaml --replace --dry-run\n" +
			"  muster links import people.csv --url postgres://muster@db.internal/muster --note HR-2217",
		Args: oneArgument("one file is imported", "write its path, for example people.csv"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.ContainsFunc(how.Note, func(r rune) bool { return r < ' ' }) {
				return wrongUse("the note has control characters", "write one line")
			}
			return f.with(cmd, func(ctx context.Context, t *config.LinksTable) error { return importLinks(ctx, cmd, t, args[0], how) })
		},
	}
	f.add(cmd, "")
	cmd.Flags().BoolVar(&how.Replace, "replace", false, "withdraw what else the table has of these tenants")
	cmd.Flags().BoolVar(&how.DryRun, "dry-run", false, "tell what would change, and change nothing")
	cmd.Flags().StringVar(&how.Note, "note", "", "kept with each link that is new, for example who asked for it")
	return cmd
}

func oneArgument(what, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return wrongUse("%s, found %d arguments", hint, what, len(args))
	}
}

func atMost(n int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return wrongUse("%d arguments are too many", hint, len(args))
	}
}

func importLinks(ctx context.Context, cmd *cobra.Command, t *config.LinksTable, path string, how links.Import) error {
	file, err := t.ReadFile(path)
	if err != nil {
		return told(cmd, err)
	}
	if out := cmd.ErrOrStderr(); terminal(out) {
		var shown time.Time
		how.Progress = func(done, of int) {
			if now := time.Now(); now.Sub(shown) > patience/3 && done < of {
				shown = now
				_, _ = fmt.Fprintf(out, "%s%d of %d changes", clearLine, done, of)
			}
		}
		defer func() {
			if !shown.IsZero() {
				_, _ = io.WriteString(out, clearLine)
			}
		}()
	}
	imported, conflicts, err := t.Import(ctx, file.People, how)
	if err != nil {
		return err
	}
	if conflicts != nil {
		return told(cmd, file.Conflicts(conflicts))
	}
	verb := "imported"
	if how.DryRun {
		verb = "would import"
	}
	text := fmt.Sprintf("%s %s: %d added, %d there already", verb, people(len(file.People)), imported.Added, imported.Kept)
	if how.Replace {
		text += fmt.Sprintf(", %d withdrawn", imported.Withdrawn)
		if len(imported.Untouched) > 0 {
			text += "; the file has nobody of " + safe(strings.Join(imported.Untouched, ", ")) + ", whose links stay"
		}
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

func linksExportCommand() *cobra.Command {
	var f linksFlags
	var format string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the people of the table as import reads them",
		Example: "  muster links export > people.csv\n" +
			"  muster links export --format yaml --tenant acme",
		Args: atMost(0, "everybody is exported, or one tenant's people with --tenant"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := map[string]func(io.Writer, []links.Group) error{"csv": writeLinksCSV, "yaml": writeLinksYAML}[format]
			if !ok {
				return wrongUse("unknown format %q", "write csv or yaml", format)
			}
			return f.with(cmd, func(ctx context.Context, t *config.LinksTable) error {
				groups, err := t.All(ctx, f.tenant)
				if err != nil {
					return err
				}
				return write(cmd.OutOrStdout(), groups)
			})
		},
	}
	f.add(cmd, "only this tenant's")
	cmd.Flags().StringVar(&format, "format", "csv", "csv or yaml")
	return cmd
}

func writeLinksCSV(out io.Writer, groups []links.Group) error {
	kinds := map[string]bool{}
	for _, g := range groups {
		for _, l := range g.Links {
			kinds[l.Kind] = true
		}
	}
	columns := slices.Sorted(maps.Keys(kinds))
	w := csv.NewWriter(out)
	_ = w.Write(append([]string{"tenant"}, columns...)) // errors are kept until Error
	for _, g := range groups {
		row := make([]string, 1+len(columns))
		row[0] = g.Tenant
		for _, l := range g.Links {
			row[1+slices.Index(columns, l.Kind)] = l.Value
		}
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// writeLinksYAML writes all texts in quotes, as which YAML reads them as they are.
func writeLinksYAML(out io.Writer, groups []links.Group) error {
	if len(groups) == 0 {
		_, err := io.WriteString(out, "[]\n")
		return err
	}
	for _, g := range groups {
		ids := make([]string, len(g.Links))
		for i, l := range g.Links {
			ids[i] = document.Quote(l.Kind) + ": " + document.Quote(l.Value)
		}
		if _, err := fmt.Fprintf(out, "- {tenant: %s, ids: {%s}}\n", document.Quote(g.Tenant), strings.Join(ids, ", ")); err != nil {
			return err
		}
	}
	return nil
}

func linksListCommand() *cobra.Command {
	var f linksFlags
	var output string
	cmd := &cobra.Command{
		Use:   "list [KIND:VALUE]",
		Short: "Show the people of the table, or the one known by an identifier",
		Example: "  muster links list --tenant acme\n" +
			"  muster links list email:jane@acme.example --output json",
		Args: atMost(1, "write one KIND:VALUE, or none for everybody"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return wrongUse("no output is called %q", "write text or json", output)
			}
			return f.with(cmd, func(ctx context.Context, t *config.LinksTable) error {
				groups, err := f.groups(ctx, t, args)
				if err != nil {
					return err
				}
				if output == "json" {
					err = writeJSON(cmd.OutOrStdout(), append([]links.Group{}, groups...))
				} else if len(groups) > 0 {
					err = writeLinksTable(cmd.OutOrStdout(), groups)
				}
				if err == nil && len(groups) == 0 {
					_, _ = fmt.Fprintln(cmd.ErrOrStderr(), nobody(len(args) > 0))
					err = exitError(exitUnknown)
				}
				return err
			})
		},
	}
	f.add(cmd, "only this tenant's")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func nobody(asked bool) string {
	if asked {
		return "nobody is known by this identifier"
	}
	return "there are no links"
}

func (f *linksFlags) groups(ctx context.Context, t *config.LinksTable, args []string) ([]links.Group, error) {
	if len(args) == 0 {
		return t.All(ctx, f.tenant)
	}
	kind, value, err := identifier(t, args[0])
	if err != nil {
		return nil, err
	}
	return t.Of(ctx, f.tenant, kind, value)
}

// writeLinksTable writes a line for each link; a person's stand together.
func writeLinksTable(out io.Writer, groups []links.Group) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TENANT\tIDENTIFIER\tSINCE\tNOTE") // errors are kept until Flush
	for _, g := range groups {
		tenant := g.Tenant
		for _, l := range g.Links {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", safe(tenant), safe(l.Kind+":"+l.Value), l.CreatedAt.Format(time.DateTime), safe(l.Note))
			tenant = "" // the first line of a person names it
		}
	}
	return table.Flush()
}

func linksRemoveCommand() *cobra.Command {
	var f linksFlags
	var whole bool
	cmd := &cobra.Command{
		Use:   "remove --tenant T KIND:VALUE",
		Short: "Withdraw an identifier, or the whole person whom it names",
		Long: "Withdraw an identifier from its person, or with --whole-person all identifiers of that person.\n" +
			"It holds from the moment that the command ends, for every gateway at this table. Nothing is\n" +
			"asked; what was removed is printed, as a file that `muster links import` reads.",
		Example: "  muster links remove --tenant acme email:jane@acme.example\n" +
			"  muster links remove -t acme email:jane@acme.example --whole-person",
		Args: oneArgument("one identifier is removed", "write KIND:VALUE, for example email:jane@acme.example"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.tenant == "" {
				return wrongUse("no tenant is named", "write --tenant NAME: another tenant may know another person by it")
			}
			return f.with(cmd, func(ctx context.Context, t *config.LinksTable) error {
				kind, value, err := identifier(t, args[0])
				if err != nil {
					return err
				}
				r, err := t.Remove(ctx, f.tenant, kind, value, whole)
				if err != nil {
					return err
				}
				return tellRemoved(cmd, f.tenant, r)
			})
		},
	}
	f.add(cmd, "whose person it is")
	cmd.Flags().BoolVar(&whole, "whole-person", false, "all identifiers of the person")
	return cmd
}

func tellRemoved(cmd *cobra.Command, tenant string, r links.Removed) error {
	if r.Removed == nil {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "nobody is known by this identifier; nothing is removed")
		return exitError(exitUnknown)
	}
	if err := writeLinksYAML(cmd.OutOrStdout(), []links.Group{{Tenant: tenant, Links: r.Removed}}); err != nil {
		return err
	}
	text := "removed " + names(r.Removed)
	if r.Left != nil {
		text += "; still the person's: " + names(r.Left)
	}
	_, _ = fmt.Fprintln(cmd.ErrOrStderr(), text)
	return nil
}

func names(of []links.Link) string {
	var all []string
	for _, l := range of {
		all = append(all, safe(l.Kind+":"+l.Value))
	}
	return strings.Join(all, ", ")
}
