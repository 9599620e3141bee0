// Package top is the live table of "rota top": the workers and sockets of a master, on a
// terminal. It knows neither flags nor the control socket.
package top

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"github.com/rota-go/rota/status"
)

const (
	pause = time.Second            // between two counts, and two frames
	again = 500 * time.Millisecond // before the next try to reach a master that has gone
)

// Source is where the statuses of a master come from.
type Source struct {
	// Count asks for one status, with what the workers have counted by then.
	Count func(context.Context) (status.Status, error)
	// Watch calls each with the status of now and after each change, until ctx or the master ends.
	Watch func(ctx context.Context, each func(status.Status)) error
}

// Print writes one table to w, with colours if w can show them.
func Print(w io.Writer, s status.Status) {
	_, _ = lipgloss.Fprint(w, frame(screen{status: s, now: s.Time})) // a reader that has gone wants no more
}

// Run shows the table on the terminals in and out, until the user quits. first is shown until
// the source has said more. A master that ends is looked for until it, or its successor, is back.
func Run(in io.Reader, out *os.File, first status.Status, from Source) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m := newModel(first, time.Now())
	if w, h, err := term.GetSize(int(out.Fd())); err == nil {
		m.width, m.height = w, h // there is something to see before the first message of the terminal
	}
	p := tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out))
	go watch(ctx, from, p.Send)
	go count(ctx, from, p.Send)
	_, err := p.Run()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// watch sends every change, and that the master is lost. It ends with ctx.
func watch(ctx context.Context, from Source, send func(tea.Msg)) {
	for ctx.Err() == nil {
		err := from.Watch(ctx, func(s status.Status) { send(known{s, time.Now()}) })
		send(lost{err})
		sleep(ctx, again)
	}
}

// count sends the numbers of connections, which are no changes. It ends with ctx.
func count(ctx context.Context, from Source, send func(tea.Msg)) {
	for sleep(ctx, pause); ctx.Err() == nil; sleep(ctx, pause) {
		if s, err := from.Count(ctx); err == nil { // otherwise watch says it
			send(known{s, time.Now()})
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
