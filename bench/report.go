package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	beginMark = "<!-- bench: begin -->"
	endMark   = "<!-- bench: end -->"
)

// write puts the table between the markers of a file, and the plot beside it.
func (o options) write(all []result, took time.Duration) error {
	old, err := os.ReadFile(o.out)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no markers %s and %s", o.out, beginMark, endMark)
	}
	text := before + beginMark + "\n" + o.conditions(took) + table(all)
	svg := strings.TrimSuffix(o.out, ".md") + ".svg"
	drawn, err := plotAll(svg, all)
	if err != nil {
		return err
	}
	if drawn {
		text += fmt.Sprintf("\n![requests a second and p99 over time](%s)\n", filepath.Base(svg))
	}
	return os.WriteFile(o.out, []byte(text+endMark+after), 0o644)
}

// conditions describes the machine and the flags of the run.
func (o options) conditions(took time.Duration) string {
	versions := runtime.Version()
	for _, v := range [][]string{{"nginx", "-v"}, {"haproxy", "-v"}, {"node", "-v"}} {
		if out, err := exec.Command(v[0], v[1]).CombinedOutput(); err == nil {
			line, _, _ := strings.Cut(string(out), "\n")
			versions += ", " + v[0] + " " + version(line)
		}
	}
	return fmt.Sprintf("%s/%s, %d CPUs shared by server and client; %s; %d run(s), a reload every %s, at least %d of them; %s; took %s.\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), versions, o.runs, o.interval, o.reloads,
		time.Now().Format(time.DateOnly), took.Round(time.Second))
}

// version returns the first word of a line that has a digit and a dot.
func version(line string) string {
	for word := range strings.FieldsSeq(line) {
		if strings.ContainsAny(word, "0123456789") && strings.Contains(word, ".") {
			return strings.TrimPrefix(word, "nginx/")
		}
	}
	return line
}
