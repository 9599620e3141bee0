package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
	"github.com/rota-go/rota/status"
)

// printer prints the lines of an answer.
type printer struct {
	c   *call
	out io.Writer
	bar *bar // nil: not a terminal
}

func newPrinter(c *call) *printer {
	p := &printer{c: c, out: c.stdout}
	if (c.request.Do == control.Reload || c.request.Do == control.Rollback) && !c.request.NoWait && isTerminal(c.stdout) {
		p.bar = newBar(c.stdout)
		p.out = p.bar.all // lines go above the bar
	}
	return p
}

func (p *printer) reply(r control.Reply) {
	switch {
	case r.Progress != nil:
		fmt.Fprintln(p.out, controlclient.Clean(r.Progress.String()))
		p.bar.set(*r.Progress)
	case r.Status != nil && p.c.request.Do == control.Watch:
		_ = json.NewEncoder(p.out).Encode(r.Status) // a reader that has gone ends the process
	case r.Status != nil:
		p.status(*r.Status)
	}
}

func (p *printer) status(s status.Status) {
	var v any = s
	if p.c.history {
		v = append([]status.Change{}, s.History...) // of none too an array
	}
	switch {
	case p.c.json:
		e := json.NewEncoder(p.out)
		e.SetIndent("", "  ")
		_ = e.Encode(v)
	case p.c.history:
		printHistory(p.out, s.History)
	default:
		printStatus(p.out, s)
	}
}

func (p *printer) close() { p.bar.close() }

// bar is a progress bar of slots. The methods of nil do nothing.
type bar struct {
	all *mpb.Progress
	bar *mpb.Bar
}

func newBar(w io.Writer) *bar {
	all := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	return &bar{all: all, bar: all.AddBar(0,
		mpb.PrependDecorators(decor.Name("slots "), decor.CountersNoUnit("%d of %d ")),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)))}
}

func (b *bar) set(p control.Progress) {
	if b != nil && p.Of > 0 {
		b.bar.SetTotal(int64(p.Of), false)
		b.bar.SetCurrent(int64(p.Done))
	}
}

func (b *bar) close() {
	if b != nil {
		b.bar.Abort(false)
		b.all.Wait()
	}
}

func printStatus(w io.Writer, s status.Status) {
	fmt.Fprintf(w, "master %d: %s, generation %d", s.PID, s.Phase, s.Generation)
	if s.Drained {
		fmt.Fprint(w, ", drained")
	}
	if s.Next != 0 {
		fmt.Fprintf(w, ", rolling out %d", s.Next)
	}
	if !s.Paused.IsZero() {
		fmt.Fprintf(w, ", paused for %s", since(s.Time, s.Paused))
	}
	fmt.Fprintf(w, ", %d workers wanted\n\n", s.Want)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SLOT\tWORKER\tPID\tGENERATION\tSTATE\tREADY\tAGE\tCRASHES\tOPEN\tACCEPTED")
	for _, x := range s.Workers {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%s\t%s\t%s\t%d\t%d\t%d\n", x.Slot, x.ID, x.PID, x.Generation, x.State, since(s.Time, x.Ready), since(s.Time, x.Started), x.Crashes,
			x.Counters.Open, x.Counters.Accepted)
	}
	for _, x := range s.Backoffs {
		fmt.Fprintf(t, "%d\t-\t-\t%d\tbacks off for %v\t-\t-\t%d\t0\t0\n", x.Slot, x.Generation,
			max(x.Until.Sub(s.Time), 0).Round(100*time.Millisecond), x.Crashes)
	}
	fmt.Fprintln(t, "\nSOCKET\tWORKERS\tWAITING")
	for _, x := range s.Sockets {
		fmt.Fprintf(t, "%s %s\t%d\t%s\n", x.Network, controlclient.Clean(x.Address), x.Workers, queue(x))
	}
	_ = t.Flush()
	n := s.Total
	fmt.Fprintf(w, "\nall workers so far: %d connections accepted, %d moved, %d were told to close, %d cut\n", n.Accepted, n.Moved, n.Announced, n.Cut)
	printFaults(w, s)
	for _, r := range s.Releases {
		fmt.Fprintf(w, "generation %d: %s\n", r.Generation, controlclient.Clean(r.String()))
	}
	if s.Reload != nil {
		fmt.Fprintf(w, "last reload: %s\n", changeLine(*s.Reload))
		if s.Reload.Stderr != "" {
			fmt.Fprintf(w, "%s\n", indent(controlclient.Clean(s.Reload.Stderr)))
		}
	}
}

func printHistory(w io.Writer, all []status.Change) {
	for _, c := range all {
		fmt.Fprintf(w, "%s\n", changeLine(c))
	}
}

// changeLine returns a change as one line.
func changeLine(c status.Change) string {
	var b strings.Builder
	what := string(c.Kind)
	if c.Back {
		what = "rollback"
	}
	fmt.Fprintf(&b, "%s %s", c.Began.Format("2006-01-02 15:04:05"), what)
	switch c.Kind {
	case status.Reload:
		fmt.Fprintf(&b, " to generation %d", c.Generation)
	case status.Scale:
		fmt.Fprintf(&b, " to %d workers", c.Workers)
	case status.Crash, status.Restart:
		fmt.Fprintf(&b, " of worker %d in slot %d", c.Worker, c.Slot)
	}
	if c.By != "" {
		fmt.Fprintf(&b, " by %s", c.By)
	}
	if c.Took > 0 {
		fmt.Fprintf(&b, " after %v", c.Took.Round(time.Millisecond))
	}
	if c.Err != "" {
		fmt.Fprintf(&b, ": %s", c.Err)
	}
	if c.Release != "" {
		fmt.Fprintf(&b, " (%s)", c.Release)
	}
	return strings.ReplaceAll(controlclient.Clean(b.String()), "\n", " ")
}

func queue(s status.Socket) string {
	if s.Limit == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", s.Queue, s.Limit)
}

// since returns how long ago something was, by the master's clock.
func since(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return now.Sub(t).Round(time.Second).String()
}

func indent(text string) string {
	return "\t" + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n\t")
}
