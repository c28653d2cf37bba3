package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"muster/adapters/draft"
	"muster/config/document"
)

// initFlags are what `muster init` is told.
type initFlags struct {
	sample, failure, url, pick, output string
	keep, force                        bool
}

func initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init PROVIDER --sample FILE",
		Short: "Draft a definition from a reply of the system",
		Long: "Draft the definition of an upstream system from one of its replies: JSON, or all that curl -i\n" +
			"prints. The draft compiles and passes its test. What is guessed in it is called so in comments;\n" +
			"what found no place is listed path by path, in the file and on standard error.\n\n" +
			"The test holds a made-up person of the same shape: the sample's own values stay out of it unless\n" +
			"--keep-values is given, its secrets always.",
		Example: "  muster init acme-hr --sample reply.json --url 'GET https://hr.acme.example/users/42'\n" +
			"  curl -si https://hr.acme.example/users/42 | muster init acme-hr --sample - -o providers/acme-hr.yaml\n" +
			"  muster init acme-hr --sample found.json --error-sample nobody.json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.sample, "sample", "", "a reply that found a person; - for standard input")
	flags.StringVar(&f.failure, "error-sample", "", "a reply that tells of a failure")
	flags.StringVar(&f.url, "url", "", "what the sample answered: METHOD https://…; what names the person in it becomes a placeholder")
	flags.StringVar(&f.pick, "pick", "", "PATH=VALUE: which of several hits in the sample is the person")
	flags.BoolVar(&f.keep, "keep-values", false, "leave the values of the sample in the test, but for secrets")
	flags.StringVarP(&f.output, "output", "o", "", "write the file (a long sample beside it); standard output without it")
	flags.BoolVar(&f.force, "force", false, "overwrite what is there")
	_ = cmd.MarkFlagRequired("sample") // it fails of a flag that is not there
	_ = cmd.MarkFlagFilename("sample")
	_ = cmd.MarkFlagFilename("error-sample")
	return cmd
}

func (f initFlags) run(cmd *cobra.Command, provider string) error {
	o := draft.Options{Provider: provider, URL: f.url, Pick: f.pick, KeepValues: f.keep}
	var err error
	if o.Sample, err = readSample(cmd.InOrStdin(), f.sample); err != nil {
		return err
	}
	if f.failure != "" {
		failure, err := readSample(cmd.InOrStdin(), f.failure)
		if err != nil {
			return err
		}
		o.Error = &failure
	}
	if f.output != "" {
		o.File = provider + ".sample.json"
	}
	d, err := draft.Definition(cmd.Context(), o)
	if err != nil {
		return err
	}
	if f.output == "" {
		if _, err := cmd.OutOrStdout().Write(d.YAML); err != nil {
			return err
		}
	} else if err := f.save(o.File, d); err != nil {
		return err
	}
	f.tell(cmd.ErrOrStderr(), d)
	return nil
}

// readSample reads a reply from a file, or from standard input.
func readSample(in io.Reader, name string) (draft.Sample, error) {
	var content []byte
	var err error
	if name == "-" {
		content, err = io.ReadAll(io.LimitReader(in, draft.MaxSample+1))
	} else {
		content, err = document.ReadFile(name)
	}
	if err != nil {
		return draft.Sample{}, fmt.Errorf("the sample cannot be read: %w", err)
	}
	sample, err := draft.ParseSample(content)
	if err != nil {
		return draft.Sample{}, fmt.Errorf("%s: %w", name, err)
	}
	return sample, nil
}

// save writes the definition, and its sample where it stands apart. Nothing is
// written where anything is there already.
func (f initFlags) save(beside string, d draft.Draft) error {
	files := map[string][]byte{f.output: d.YAML}
	if d.Sample != nil {
		files[filepath.Join(filepath.Dir(f.output), beside)] = d.Sample
	}
	if !f.force {
		for name := range files {
			if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is there already: give --force to overwrite it", name)
			}
		}
	}
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o644); err != nil { //nolint:gosec // a definition holds no secret, and others read it
			return err
		}
	}
	return nil
}

// tell says what found no place and what is to be done.
func (f initFlags) tell(out io.Writer, d draft.Draft) {
	for _, left := range d.Left {
		_, _ = fmt.Fprintf(out, "not placed: %s: %s\n", left.Path, left.Why)
	}
	for _, note := range d.Notes {
		_, _ = fmt.Fprintf(out, "note: %s\n", note)
	}
	if f.output != "" {
		_, _ = fmt.Fprintf(out, "written: %s. Confirm what it calls guessed, then: muster check %s\n", f.output, f.output)
	}
}
