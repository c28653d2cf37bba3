package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/config/document"
)

func providersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "providers [NAME]",
		Short: "List the definitions inside the program, or tell of one",
		Long: "List the definitions of upstream systems that a gateway's file can name under `use`, or tell\n" +
			"of one what it needs, yields and maps, and how it is used.",
		Example:           "  muster providers\n  muster providers " + catalog.Names()[0],
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(catalog.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				return listProviders(cmd.OutOrStdout())
			}
			return tellProvider(cmd.OutOrStdout(), names[0])
		},
	}
}

func listProviders(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range catalog.Names() {
		p, err := findProvider(name)
		if err != nil {
			return err
		}
		about, _, _ := strings.Cut(p.definition.About, ". ")
		if _, err := fmt.Fprintf(table, "%s\t%s\n", name, strings.TrimSuffix(about, ".")); err != nil {
			return err
		}
	}
	return table.Flush()
}

func tellProvider(out io.Writer, name string) error {
	p, err := findProvider(name)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	tell := func(what string, lines ...string) {
		for _, line := range lines {
			_, _ = fmt.Fprintf(table, "  %s\t%s\n", what, line) // errors are kept until Flush
			what = ""
		}
	}
	_, _ = fmt.Fprintf(table, "%s: %s\n\n", name, p.definition.About)
	tell("settings", p.settings()...)
	tell("tenant ids", p.own(p.source.TenantNeeds())...)
	tell("needs", p.needs()...)
	tell("yields", join(p.own(p.source.Yields()))...)
	tell("maps", join(p.definition.Members())...)
	tell("use", p.example())
	return table.Flush()
}

// provider is a definition of the catalog, with no deployment's settings.
type provider struct {
	definition *adapters.Definition
	source     *adapters.Source
}

func findProvider(name string) (provider, error) {
	var problems document.Problems
	resolved := adapters.Resolve(name, catalog.Library(&problems))
	if resolved == nil {
		return provider{}, fmt.Errorf("no definition named %q; %s", name, oneOfThese(name, catalog.Names()))
	}
	definition := adapters.Compile(resolved)
	if err := problems.Err(); err != nil {
		return provider{}, err
	}
	return provider{definition, definition.Bind(name, nil, adapters.DefaultLimits(), nil, nil)}, nil
}

// own calls the definition's own kind by its name, as the rest of Muster does.
func (p provider) own(kinds []string) []string {
	named := make([]string, len(kinds))
	for i, kind := range kinds {
		named[i] = p.source.SelfKind(kind)
	}
	return named
}

// needs are the identifiers that it can be asked with, one line for each lookup.
func (p provider) needs() []string {
	var lines []string
	for i, set := range p.source.Needs() {
		line := strings.Join(p.own(set), " and ")
		if line == "" {
			line = "nothing"
		}
		if i > 0 {
			line = "or " + line
		}
		lines = append(lines, line)
	}
	return lines
}

func (p provider) settings() []string {
	var lines []string
	for _, s := range p.definition.Settings() {
		line := s.Name + " (" + s.Format
		if s.Required {
			line += ", required"
		}
		if s.Default != "" {
			line += ", " + s.Default + " if not written"
		}
		line += ")"
		if s.About != "" {
			line += ": " + s.About
		}
		lines = append(lines, line)
	}
	return lines
}

// example is a line for the gateway's file.
func (p provider) example() string {
	var with []string
	for _, s := range p.definition.Settings() {
		switch {
		case !s.Required:
		case s.Format == "secret":
			with = append(with, fmt.Sprintf(`%s: "${file:/run/secrets/%s}"`, s.Name, p.source.Name()))
		default:
			with = append(with, s.Name+": …")
		}
	}
	if with == nil {
		return "- {use: " + p.source.Name() + "}"
	}
	return "- {use: " + p.source.Name() + ", with: {" + strings.Join(with, ", ") + "}}"
}

// join makes one line of a list that has something.
func join(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return []string{strings.Join(list, ", ")}
}
