package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/rota-go/rota/internal/controlclient"
	"github.com/rota-go/rota/status"
)

var (
	bold = lipgloss.NewStyle().Bold(true)
	dim  = lipgloss.NewStyle().Faint(true)
	good = lipgloss.NewStyle().Foreground(lipgloss.Green)
	move = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	bad  = lipgloss.NewStyle().Foreground(lipgloss.Red)
)

const keys = "q quits"

// View draws the part of the frame that the terminal has room for.
func (m model) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	if m.width == 0 || m.height == 0 {
		return v
	}
	lines := m.lines()
	foot := keys
	if m.last() > 0 {
		foot = fmt.Sprintf("%s, arrow keys scroll: lines %d to %d of %d", keys, m.top+1, min(m.top+m.room(), len(lines)), len(lines))
	}
	shown := append(lines[m.top:min(m.top+m.room(), len(lines))], dim.Render(foot))
	v.SetContent(lipgloss.NewStyle().MaxWidth(m.width).Render(strings.Join(shown, "\n")))
	return v
}

func (m model) lines() []string {
	return strings.Split(strings.TrimSuffix(frame(m.screen), "\n"), "\n")
}

// room returns how many lines there are room for, above the last one.
func (m model) room() int { return max(0, m.height-1) }

// last returns the largest top.
func (m model) last() int {
	if m.height == 0 {
		return 0
	}
	return max(0, len(m.lines())-m.room())
}

// frame draws everything, one line each.
func frame(s screen) string {
	text := head(s) + "\n\n" + workers(s) + "\n" + faults(s.status) + "\n" + sockets(s.status.Sockets) + "\n"
	if r := s.status.Reload; r != nil && r.Failed() {
		text += "\n" + bad.Render("the last reload has failed: "+line(r.Err)) + "\n"
	}
	return text
}

// head draws the first line.
func head(s screen) string {
	st := s.status
	text := bold.Render(fmt.Sprintf("master %d", st.PID)) + ": " + phase(st.Phase) + fmt.Sprintf(", generation %d", st.Generation)
	if st.Drained {
		text += bad.Render(", drained")
	}
	if st.Next != 0 {
		text += move.Render(fmt.Sprintf(", rolling out %d", st.Next))
	}
	if !st.Paused.IsZero() {
		text += move.Render(", paused for " + age(s.now.Sub(st.Paused)))
	}
	text += fmt.Sprintf(", %d of %d slots served, %d connections", served(st), st.Want, st.Total.Open)
	if s.lost != nil {
		text += bad.Render(" – lost: " + line(s.lost.Error()))
	}
	return text
}

func phase(p string) string {
	if p == "serving" {
		return good.Render(p)
	}
	return move.Render(p)
}

// served returns how many slots have a worker that serves.
func served(s status.Status) (n int) {
	for _, slot := range s.Slots() {
		for _, w := range slot {
			if w.IsServing() {
				n++
				break
			}
		}
	}
	return n
}

func workers(s screen) string {
	rows := [][]string{{"SLOT", "WORKER", "PID", "GEN", "STATE", "AGE", "OPEN", "ACCEPTED", "PER SEC", "REQ/SEC", "FAILED", "MOVED", "RESTARTS", "CRASHES"}}
	again := restarts(s.status.Tallies)
	for _, w := range s.status.Workers {
		slot := strconv.Itoa(w.Slot)
		if w.Forked {
			slot = "-"
		}
		r := s.rates[w.ID]
		rows = append(rows, []string{slot, strconv.Itoa(w.ID), number(w.PID), strconv.Itoa(w.Generation), state(w), age(w.Age(s.now)),
			count64(w.Counters.Open), count64(w.Counters.Accepted), fmt.Sprintf("%.1f", r.accepted), fmt.Sprintf("%.1f", r.requests), count64(w.Counters.Errors),
			count64(w.Counters.Moved), number(again[slot]), number(w.Crashes)})
	}
	for _, b := range s.status.Backoffs {
		in := "in " + age(b.Until.Sub(s.now))
		rows = append(rows, []string{strconv.Itoa(b.Slot), "", "", strconv.Itoa(b.Generation), bad.Render("backs off"), in, "", "", "", "", "", "", number(again[strconv.Itoa(b.Slot)]), number(b.Crashes)})
	}
	return columns(rows)
}

// restarts returns how many workers of each slot have been replaced or have crashed outside of reloads.
func restarts(all []status.Tally) map[string]int {
	of := map[string]int{}
	for _, t := range all {
		if t.Kind == status.Restart || t.Kind == status.Crash {
			of[strconv.Itoa(t.Slot)] += int(t.Times)
		}
	}
	return of
}

// faults says what is wrong with workers, one line each.
func faults(s status.Status) (text string) {
	for _, w := range s.Workers {
		if w.Fault != "" {
			text += bad.Render(fmt.Sprintf("worker %d, slot %d: %s", w.ID, w.Slot, line(w.Fault))) + "\n"
		}
	}
	return text
}

func sockets(all []status.Socket) string {
	rows := [][]string{{"SOCKET", "WORKERS", "WAITING"}}
	for _, x := range all {
		waiting := "-"
		if x.Limit > 0 {
			waiting = fmt.Sprintf("%d of %d", x.Queue, x.Limit)
		}
		rows = append(rows, []string{line(x.Network + " " + x.Address), strconv.Itoa(x.Workers), waiting})
	}
	return columns(rows)
}

// columns aligns the cells of rows, of which the first is the header.
func columns(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-lipgloss.Width(cell)+2))
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	lines[0] = dim.Render(lines[0])
	return strings.Join(lines, "\n")
}

// state returns what a worker does, in a word.
func state(w status.Worker) string {
	switch {
	case w.IsServing():
		return good.Render("serving")
	case w.State == status.Dead || w.State == status.Disconnected:
		return bad.Render(w.State.String())
	}
	return move.Render(w.State.String())
}

// age returns a duration in one or two units.
func age(d time.Duration) string {
	d = max(d, 0)
	switch day := 24 * time.Hour; {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
}

// number returns n, or a dash for 0.
func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func count64(n int64) string { return strconv.FormatInt(n, 10) }

// line returns text, which a worker may have written, as one line that a terminal only shows.
func line(text string) string { return strings.Join(strings.Fields(controlclient.Clean(text)), " ") }
