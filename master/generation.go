package master

import (
	"os"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
)

// generation is what the workers of one reload have in common. The loop owns it.
type generation struct {
	number int
	cfg    Config
	image  *process.Image // closed by release; nil if it could not be prepared
	users  int            // members, and the pool
}

// prepareGeneration prepares what the workers of a generation are started from. It reads
// files and calls Config.Env, so the loop must not call it itself.
func prepareGeneration(number int, cfg Config) (*generation, error) {
	image, err := process.Prepare(cfg.spec())
	if err != nil {
		return nil, err
	}
	return &generation{number: number, cfg: cfg, image: image}, nil
}

// spec returns what package process needs to know of c.
func (c Config) spec() process.Spec {
	s := process.Spec{
		Exec: c.Exec, Args: c.Args, Dir: c.Dir, User: c.User,
		ExtraFiles: c.ExtraFiles, Silent: c.Silent,
	}
	if c.Env != nil {
		s.Env = c.callEnv
	}
	return s
}

// callEnv calls Config.Env.
func (c Config) callEnv() (env []string, err error) {
	err = callUser("Config.Env", c.logger(), func() error { env = c.Env(); return nil })
	return env, err
}

// start starts a worker of g.
func (g *generation) start(id link.Identity, env map[string]string) (*workerProcess, error) {
	p, err := g.image.Start(id, env)
	if err != nil {
		return nil, err
	}
	return &workerProcess{
		link: p.Link, os: p.OS, output: p.Output, signal: p.Signal,
		wait: func() Exit { return Exit(p.Wait()) },
	}, nil
}

// use counts a user. Each calls release once.
func (g *generation) use() { g.users++ }

// release takes one user off. The last one closes the image, as does a release of a
// generation that was never used.
func (g *generation) release() {
	if g.users--; g.users <= 0 && g.image != nil {
		g.image.Close()
	}
}

// workerProcess is a worker's process as the loop uses it: a *process.Process, or a
// fake in tests. The loop owns the link and closes it. wait is called once, on a
// goroutine of its own.
type workerProcess struct {
	link   workerLink
	os     *os.Process
	output [2]*os.File           // of a silent worker: stdout and stderr, to read; the Worker closes them
	signal func(os.Signal) error // os.ErrProcessDone if the process has ended
	wait   func() Exit
}
