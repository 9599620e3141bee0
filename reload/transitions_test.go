package reload

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/phases.md shows the tables as they are, and draws every phase.
func TestTablesInDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/phases.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"changes": changeTable(), "events": eventTable()} {
		if diff := cmp.Diff(want, section(string(text), name)); diff != "" {
			t.Errorf("docs/phases.md: the table of %s should be\n\n%s\n(-want +got):\n%s", name, want, diff)
		}
	}
	drawing := section(string(text), "drawing")
	for p := range allPhases() {
		if !strings.Contains(drawing, p.String()) {
			t.Errorf("docs/phases.md: the drawing has no phase %q", p)
		}
	}
}

// section returns what is between two comments of that name.
func section(text, name string) string {
	_, text, _ = strings.Cut(text, "<!-- "+name+" -->\n")
	text, _, _ = strings.Cut(text, "<!-- end of "+name+" -->")
	return text
}

func changeTable() string {
	var b strings.Builder
	b.WriteString("| phase |")
	for c := range allChanges() {
		fmt.Fprintf(&b, " %v |", c)
	}
	b.WriteString("\n|---" + strings.Repeat("|---", numberOfChanges) + "|\n")
	for p := range allPhases() {
		fmt.Fprintf(&b, "| %v |", p)
		for c := range allChanges() {
			fmt.Fprintf(&b, " %s |", cell(onChange(p, c)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(t transition) string {
	if t.answer == Begins && t.next != stay {
		return "→ " + target(t.next)
	}
	return t.answer.String()
}

func target(p Phase) string {
	switch p {
	case stay:
		return "same phase"
	case servingOrTrial:
		return PhaseServing.String() + ", or " + PhaseOnTrial.String() + " if following"
	case servingOrBack:
		return PhaseServing.String() + ", or " + PhaseRollingBack.String() + " if that goes on"
	case idleOrClosed:
		return PhaseIdle.String() + ", or " + PhaseClosed.String() + " if closing"
	}
	return p.String()
}

func eventTable() string {
	var b strings.Builder
	b.WriteString("| phase | event | next phase |\n|---|---|---|\n")
	for p := range allPhases() {
		for e := range allEvents() {
			if next, ok := onEvent(p, e); ok && e != EventPredecessorGone {
				fmt.Fprintf(&b, "| %v | %v | %s |\n", p, e, target(next))
			}
		}
	}
	b.WriteString("| any | " + EventPredecessorGone.String() + " | " + target(stay) + " |\n")
	return b.String()
}

// Every phase has a row in both tables, every cell an answer, and every event a
// phase where it can happen.
func TestTablesAreComplete(t *testing.T) {
	happens := map[Event]bool{}
	for p := range allPhases() {
		for c := range allChanges() {
			if onChange(p, c).answer == 0 {
				t.Errorf("%v: no answer to %v", p, c)
			}
		}
		if _, ok := events[p]; !ok {
			t.Errorf("%v: no row of events", p)
		}
		for e := range allEvents() {
			_, ok := onEvent(p, e)
			happens[e] = happens[e] || ok
		}
	}
	for e := range allEvents() {
		if !happens[e] {
			t.Errorf("%v can never happen", e)
		}
	}
}
