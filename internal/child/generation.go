package child

import "github.com/rota-go/rota/internal/process"

// Generation is what the workers of one reload have in common. The master's loop owns it.
type Generation[C any] struct {
	Number int
	Config C
	Image  *process.Image // closed by Release; nil if it could not be prepared

	users int // its workers, and the Generations that it is in
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

// Use counts a user. Each calls Release once.
func (g *Generation[C]) Use() { g.users++ }

// Release takes one user off. The last one closes the image, as does a Release of a
// generation that was never used. On nil it does nothing.
func (g *Generation[C]) Release() {
	if g == nil {
		return
	}
	if g.users--; g.users <= 0 && g.Image != nil {
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
