package history

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

const (
	maxCallers = 4       // of one change that are named
	maxErr     = 1 << 10 // bytes of an error that are kept
	maxStderr  = 1 << 10 // bytes of a worker's last lines that are kept, except of the last reload
)

// Book is the history of a master. New makes one.
type Book struct {
	changes Ring[status.Change]
	asked   map[status.Kind][]string       // who has asked for a change that hasn't begun
	current map[status.Kind]*status.Change // that have begun
	reload  *status.Change                 // the last one that has ended; never changed

	tallies Tallies // of all that there have been
}

// New returns a history without a change.
func New() Book {
	return Book{
		changes: NewRing[status.Change](status.HistorySize),
		asked:   map[status.Kind][]string{}, current: map[status.Kind]*status.Change{},
	}
}

// Ask says who asks for a change, which begins now or later. Several may ask for one, also for an upgrade that has begun; a reload
// that is asked for then is the next one.
func (b *Book) Ask(k status.Kind, by string) {
	by = Clip(by, 100)
	if all := b.asked[k]; by != "" && len(all) < maxCallers && !slices.Contains(all, by) {
		b.asked[k] = append(all, by)
	}
	if c := b.current[k]; c != nil && k == status.Upgrade {
		c.By = b.Asked(k)
	}
}

// Asked returns who has asked for a change that hasn't begun.
func (b *Book) Asked(k status.Kind) string { return strings.Join(b.asked[k], ", ") }

// Begin says that the change that was asked for begins. What is known of it is in c.
func (b *Book) Begin(k status.Kind, now time.Time, c status.Change) {
	c.Kind, c.Began, c.By = k, now, b.Asked(k)
	b.current[k] = &c
	if k != status.Upgrade {
		delete(b.asked, k)
	}
}

// By returns who has asked for the change that has begun, as far as it is known.
func (b *Book) By(k status.Kind) string {
	if c := b.current[k]; c != nil {
		return c.By
	}
	return ""
}

// Rolling says what the reload that has begun rolls out.
func (b *Book) Rolling(r status.Release) {
	if c := b.current[status.Reload]; c != nil {
		c.Release = r.String()
	}
}

// End says that the change that has begun has ended, with err if it has failed. pid is that of
// the new master, of an upgrade. Without a Begin it changes nothing.
func (b *Book) End(k status.Kind, now time.Time, pid int, err error) {
	begun := b.current[k]
	if k == status.Upgrade {
		delete(b.asked, k)
	}
	if begun == nil {
		return
	}
	delete(b.current, k)
	c := *begun
	c.Took, c.PID = now.Sub(c.Began), pid
	c.Err, c.Stderr = textOf(err)
	b.Add(c)
	b.tallies.Count(k, 0, result(err))
}

func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}

// textOf returns the text of an error, and apart from it the last lines of a worker.
func textOf(err error) (text, stderr string) {
	if failed := (*reload.Error)(nil); errors.As(err, &failed) {
		short := *failed
		short.Stderr = ""
		return short.Error(), failed.Stderr
	}
	if err == nil {
		return "", ""
	}
	return err.Error(), ""
}

// Ended says that a worker has ended, which is a change if nobody has asked it to.
func (b *Book) Ended(m *reload.Member, now time.Time, pid int, how, stderr string) {
	if !m.Voluntary {
		b.tallies.Count(status.Crash, m.Slot, "crash")
		b.Add(status.Change{
			Kind: status.Crash, Began: now, Took: now.Sub(m.Started), Generation: m.Generation,
			Worker: m.ID, Slot: m.Slot, PID: pid, Err: how, Stderr: stderr,
		})
	}
}

// Add adds a change that has ended.
func (b *Book) Add(c status.Change) {
	c.Err, c.Stderr = Clip(c.Err, maxErr), logline.Clean(c.Stderr, true)
	if c.Kind == status.Reload {
		whole := c
		b.reload = &whole
	}
	c.Stderr = lastBytes(c.Stderr, maxStderr)
	b.changes.Add(c)
}

// Reload returns the last reload that has ended, or nil. The caller doesn't change it.
func (b *Book) Reload() *status.Change { return b.reload }

// All returns the last changes that have ended, the oldest first.
func (b *Book) All() []status.Change { return b.changes.All() }

// Restore adds the history of the master before this one. It may be called again: it adds what is newer than
// the last change that is known.
func (b *Book) Restore(all []status.Change) {
	known, n := b.All(), len(all)
	for n > 0 && !slices.ContainsFunc(known, func(c status.Change) bool { return isSame(c, all[n-1]) }) {
		n--
	}
	for _, c := range all[n:] {
		b.Add(c)
	}
}

// isSame compares what no two changes have in common. The texts may have been shortened, and times are of any zone.
func isSame(a, b status.Change) bool {
	return a.Began.Equal(b.Began) && a.Kind == b.Kind && a.Slot == b.Slot && a.Worker == b.Worker
}

// Scaled says that the number of workers is n from now on.
func (b *Book) Scaled(n int, now time.Time, by string) {
	b.Add(status.Change{Kind: status.Scale, Began: now, By: by, Workers: n})
}

// Drained says that balancers are told to send new clients elsewhere, or no longer.
func (b *Book) Drained(drained bool, now time.Time, by string) {
	kind := status.Undrain
	if drained {
		kind = status.Drain
	}
	b.Add(status.Change{Kind: kind, Began: now, By: by})
}

// Replaced says that a worker is to be replaced, and why.
func (b *Book) Replaced(slot int, why string) { b.tallies.Count(status.Restart, slot, why) }

// Tallies returns the counts.
func (b *Book) Tallies() *Tallies { return &b.tallies }

// Clip returns the first n bytes of text without control characters; ends of lines stay.
func Clip(text string, n int) string {
	if len(text) > n {
		text = text[:n] + "…"
	}
	return logline.Clean(text, true)
}

// lastBytes returns the end of text, from the beginning of a line if there is one.
func lastBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		return rest
	}
	return text
}
