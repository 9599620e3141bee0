package child

import (
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/status"
)

// Generation is what the workers of one reload have in common. The master's loop owns it.
type Generation[C any] struct {
	Number int
	Config C
	Image  *process.Image // closed by Release; nil if it could not be prepared

	users int            // its workers, and the Generations that it is in
	of    *Generation[C] // whose image it is; nil: its own
}

// Prepare prepares a generation. It reads files, and calls the program's function for the
// environment.
func Prepare[C any](number int, cfg C, spec process.Spec) (*Generation[C], error) {
	image, err := process.Prepare(spec)
	if err != nil {
		return nil, err
	}
	return &Generation[C]{Number: number, Config: cfg, Image: image}, nil
}

// Again returns a generation that is started from the image of g, under another number. g is used
// until it has no user any more.
func (g *Generation[C]) Again(number int) *Generation[C] {
	again := &Generation[C]{Number: number, Config: g.Config, Image: g.Image, of: g}
	if g.of != nil {
		again.of = g.of // no chain, however often
	}
	again.of.Use()
	return again
}

// Use counts a user. Each calls Release once.
func (g *Generation[C]) Use() { g.users++ }

// Runs says what the workers of the generation run.
func (g *Generation[C]) Runs() (r status.Release) {
	if g != nil && g.Image != nil {
		r = g.Image.Release()
	}
	return r
}

// IsKept reports whether workers of the generation can be started when its executable has gone.
func (g *Generation[C]) IsKept() bool { return g.Image == nil || g.Image.IsKept() }

// Send calls send with the generation's number and a duplicate of its executable, which send owns, if that is kept open.
func (g *Generation[C]) Send(send func(number int, executable *descriptor.FD)) {
	if g == nil {
		return
	}
	if fd, err := g.Image.Executable(); err == nil && fd != nil {
		send(g.Number, fd)
	}
}

// Release takes one user off. The last one closes the image, as does a Release of a
// generation that was never used. On nil it does nothing.
func (g *Generation[C]) Release() {
	if g == nil {
		return
	}
	switch g.users--; {
	case g.users > 0:
	case g.of != nil:
		g.of.Release()
	case g.Image != nil:
		go g.Image.Close() // close(2) of a file on a network may block
	}
}

// Generations are those from which workers may still be started, by number.
type Generations[C any] map[int]*Generation[C]

// Add adds a generation, and uses it.
func (all Generations[C]) Add(g *Generation[C]) {
	g.Use()
	all[g.Number] = g
}

// Drop releases a generation from which no worker will be started any more.
func (all Generations[C]) Drop(number int) {
	if g := all[number]; g != nil {
		delete(all, number)
		g.Release()
	}
}

// DropBelow drops all generations before one.
func (all Generations[C]) DropBelow(number int) {
	for n := range all {
		if n < number {
			all.Drop(n)
		}
	}
}

// Succeed drops all generations before one that has replaced another, and returns that other: its
// image stays open until the caller's Release.
func (all Generations[C]) Succeed(other, number int) *Generation[C] {
	g := all[other]
	if g != nil {
		g.Use()
	}
	all.DropBelow(number)
	return g
}
