package main

import (
	"fmt"
	"strings"
	"time"
)

// result is a cell of the table.
type result struct {
	server, shape    string
	failed, requests int
	closed           int // connections that the server has ended
	first            error
	instances        int // processes that answered first during the reloads
	reloads          []time.Time
	quiet, busy      spans
	samples          []sample
	err              error
	rates, tails     []float64 // during reloads to without, of each run that can be compared
}

// few is the number of answers below which rate and tail mean nothing.
const few = 20

// compared reports whether the time without reloads has enough answers to compare with.
func (r result) compared() bool {
	return r.quiet.count(r.samples) >= few && r.busy.count(r.samples) >= few
}

func (r result) rateRatio() float64 {
	return r.busy.rate(r.samples) / r.quiet.rate(r.samples)
}

func (r result) tailRatio() float64 {
	return float64(r.busy.p99(r.samples)) / float64(r.quiet.p99(r.samples))
}

// String returns the line of progress.
func (r result) String() string {
	if r.err != nil {
		return "not measured: " + r.err.Error()
	}
	s := fmt.Sprintf("%6d failed of %8d, %5d closed, %8.0f/s%s, p99 %s%s, %d new processes in %d reloads",
		r.failed, r.requests, r.closed, r.busy.rate(r.samples), ratio(r.rates), short(r.busy.p99(r.samples)), ratio(r.tails), r.instances, len(r.reloads))
	if r.first != nil {
		s += "; first: " + r.first.Error()
	}
	return s
}

func short(d time.Duration) string {
	switch {
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// merge adds a run's results to those before it.
func merge(all, run []result) []result {
	for _, r := range run {
		i := find(all, r.server, r.shape)
		if i < 0 {
			all = append(all, result{server: r.server, shape: r.shape})
			i = len(all) - 1
		}
		sum := &all[i]
		failed, requests, closed := sum.failed+r.failed, sum.requests+r.requests, sum.closed+r.closed
		rates, tails := append(sum.rates, r.rates...), append(sum.tails, r.tails...)
		*sum = r // the last run's times are shown
		sum.failed, sum.requests, sum.closed, sum.rates, sum.tails = failed, requests, closed, rates, tails
	}
	return all
}

func find(all []result, server, shape string) int {
	for i, r := range all {
		if r.server == server && r.shape == shape {
			return i
		}
	}
	return -1
}

// table returns the report, as Markdown.
func table(all []result) string {
	var b strings.Builder
	cols := columns(all)
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	part := func(title string, cell func(result) string) {
		fmt.Fprintf(&b, "\n%s\n\n", title)
		head, rule := []string{"server"}, []string{"---"}
		for _, c := range cols {
			head, rule = append(head, "("+c+")"), append(rule, "---:")
		}
		row(head)
		row(rule)
		for _, s := range servers {
			if cells, any := cellsOf(all, s.name, cols, cell); any {
				row(append([]string{s.name}, cells...))
			}
		}
	}
	part("**Failed requests / requests**", func(r result) string { return fmt.Sprintf("%d / %d", r.failed, r.requests) })
	part("Connections that the server has ended and the client would have kept (HTTP/1)", func(r result) string { return fmt.Sprint(r.closed) })
	part("Requests a second while it is reloaded, and how that compares with the same server in the same run without reloads", func(r result) string {
		return fmt.Sprintf("%.0f%s", r.busy.rate(r.samples), ratio(r.rates))
	})
	part("p99 while it is reloaded, and how that compares", func(r result) string {
		return fmt.Sprintf("%s%s", short(r.busy.p99(r.samples)), ratio(r.tails))
	})
	part("Processes that began to answer during the reloads", func(r result) string { return fmt.Sprint(r.instances) })
	return b.String()
}

// cellsOf returns a server's cells; any is false if it was not measured at all.
func cellsOf(all []result, server string, cols []string, cell func(result) string) (cells []string, any bool) {
	for _, c := range cols {
		i := find(all, server, c)
		switch {
		case i < 0:
			cells = append(cells, "–")
		case all[i].err != nil:
			cells = append(cells, "error")
			any = true
		default:
			cells = append(cells, cell(all[i]))
			any = true
		}
	}
	return cells, any
}

func columns(all []result) (cols []string) {
	for _, s := range shapes {
		for _, r := range all {
			if r.shape == s.letter {
				cols = append(cols, s.letter)
				break
			}
		}
	}
	return cols
}

// ratio returns the median of all runs.
func ratio(v []float64) string {
	if len(v) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.2fx)", median(v))
}
