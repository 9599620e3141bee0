package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/control"
)

// output returns what the command prints when it is done.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, &out, &errs, os.Getenv); got != done || errs.Len() > 0 {
		t.Errorf("rota %v: exit status %d, %s", args, got, &errs)
	}
	return out.String()
}

// Every command of the table asks for what a master understands, is in the help, has help and flags of
// its own, and is in the documentation.
func TestTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/control.md")
	if err != nil {
		t.Fatal(err)
	}
	help := output(t, "help")
	for _, c := range commands() {
		name := regexp.QuoteMeta(c.name)
		if !regexp.MustCompile(`(?m)^  ` + name + ` `).MatchString(help) {
			t.Errorf("%s is not in the help", c.name)
		}
		if !regexp.MustCompile("`rota " + name + "[ `]").Match(page) {
			t.Errorf("docs/control.md doesn't have rota %s", c.name)
		}
		own := output(t, "help", c.name)
		for _, o := range c.allOptions() {
			if !strings.Contains(own, "-"+o.name) || o.text == "" {
				t.Errorf("the help on %s doesn't have -%s", c.name, o.name)
			}
		}
		if !strings.HasPrefix(own, "usage: rota "+c.name) {
			t.Errorf("the help on %s is\n%s", c.name, own)
		}
		if c.run != nil {
			continue
		}
		if asked := output(t, c.name, "-h"); asked != own {
			t.Errorf("%s -h:\n%s\nwant\n%s", c.name, asked, own)
		}
		args := map[string][]string{"scale": {"2"}, "restart": {"1"}}[c.name]
		got, err := c.parse(append([]string{"-timeout", "1s"}, args...))
		if _, invalid := control.Parse(control.Encode(got.request)); err != nil || invalid != nil || got.timeout == 0 {
			t.Errorf("%s: %v, %v", c.name, err, invalid)
		}
	}
}

func TestHelpOfNothing(t *testing.T) {
	for _, args := range [][]string{{"help", "halt"}, {"help", "status", "x"}, {"completion"}, {"completion", "csh"}, {"man", "x"}} {
		var out, errs bytes.Buffer
		if got := run(args, &out, &errs, os.Getenv); got != usage || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("%q: exit status %d, %q", args, got, &out)
		}
	}
}

// An argument that isn't a number of workers or of a slot is named, with what is wanted.
func TestNumbers(t *testing.T) {
	for want, args := range map[string][]string{
		`scale: "0": workers: want 1 to 1024;`:                      {"scale", "0"},
		`scale: "four": workers: want 1 to 1024;`:                   {"scale", "four"},
		`restart: "a": want the number of a slot, the first is 0;`:  {"restart", "a"},
		`restart: "-1": want the number of a slot, the first is 0;`: {"restart", "--", "-1"},
	} {
		var out, errs bytes.Buffer
		if got := run(args, &out, &errs, os.Getenv); got != usage || !strings.Contains(errs.String(), want) {
			t.Errorf("rota %v: exit status %d, %s", args, got, &errs)
		}
	}
}

// The manual page in the repository is that of the table, and man shows it without a warning.
func TestManual(t *testing.T) {
	page := output(t, "man")
	kept, err := os.ReadFile("../../docs/rota.1")
	if err != nil || string(kept) != page {
		t.Errorf("docs/rota.1 is not what rota man prints (%v): run go generate in cmd/rota", err)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff(1) to show it")
	}
	cmd := exec.Command(groff, "-man", "-Tascii", "-ww", "-P-c", "-P-b", "-P-u")
	cmd.Stdin = strings.NewReader(page)
	var out, warnings bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &warnings
	if err := cmd.Run(); err != nil || warnings.Len() > 0 {
		t.Errorf("%v %s", err, &warnings)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"rota restart [flags] SLOT", "-id ID", "-socket PATH", "5 Not done at the time-out", "ROTA_CONTROL, RUNTIME_DIRECTORY", `http://...:`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// shell writes the completion for a shell into a file, or skips the test.
func shell(t *testing.T, name string) (exe, file string) {
	t.Helper()
	exe, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s(1)", name)
	}
	file = filepath.Join(t.TempDir(), "rota")
	if err := os.WriteFile(file, []byte(output(t, "completion", name)), 0o600); err != nil {
		t.Fatal(err)
	}
	return exe, file
}

// lines returns what a program prints, by lines.
func lines(t *testing.T, exe string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(exe, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// completed are words that a user has typed, the last of them in part, and what the shell offers.
var completed = []struct {
	typed string
	want  []string
}{
	{"rota re", []string{"reload", "restart", "resume"}},
	{"rota restart -", []string{"-id", "-pid", "-socket", "-timeout", "-wait"}},
	{"rota help un", []string{"undrain"}},
	{"rota completion ", []string{"bash", "fish", "zsh"}},
	{"rota completion -", nil},
	{"rota promote -w", nil},
}

func TestBash(t *testing.T) {
	exe, file := shell(t, "bash")
	for _, c := range completed {
		got := lines(t, exe, "--norc", "-c", `. "$0"; COMP_WORDS=($1); COMP_CWORD=$2; [ "$3" ] && COMP_WORDS+=(""); _rota; printf '%s\n' "${COMPREPLY[@]}"`,
			file, c.typed, cword(c.typed), map[bool]string{true: "new"}[strings.HasSuffix(c.typed, " ")])
		sameWords(t, c.typed, got, c.want)
	}
}

// cword returns the index of the word that is typed.
func cword(typed string) string { return string(rune('0' + strings.Count(typed, " "))) }

func TestFish(t *testing.T) {
	exe, file := shell(t, "fish")
	for _, c := range completed {
		var got []string
		for _, l := range lines(t, exe, "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, file, c.typed) {
			word, _, _ := strings.Cut(l, "\t")
			got = append(got, word)
		}
		sameWords(t, c.typed, got, c.want)
	}
}

// zsh offers by functions of its own, which a terminal is needed for: it reads the script, and knows
// whom to ask.
func TestZsh(t *testing.T) {
	exe, file := shell(t, "zsh")
	lines(t, exe, "-n", file)
	if got := lines(t, exe, "-fc", `autoload -U compinit; compinit -uD; source $1; print $_comps[rota]; whence -w _rota`, "-", file); !slices.Equal(got, []string{"_rota", "_rota: function"}) {
		t.Errorf("%q", got)
	}
}

func sameWords(t *testing.T, typed string, got, want []string) {
	t.Helper()
	got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q is completed by %q, want %q", typed, got, want)
	}
}
