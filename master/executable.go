package master

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// started is how this process was started, captured before the program can change
// it: a working directory may be gone by the next reload, argv[0] is relative to the
// first one, and a program may have taken its subcommand out of os.Args.
var started = func() (s struct {
	exec, dir string
	args      []string
}) {
	s.dir, _ = os.Getwd() // "" where it is gone already: then the workers' is this process's
	s.exec = ownName(os.Args, s.dir)
	s.args = slices.Clone(os.Args)
	return s
}()

// ownName is argv[0] made absolute, its symbolic links not resolved: os.Executable
// resolves them, and would start the old release for ever after the link was moved.
func ownName(args []string, dir string) string {
	if len(args) == 0 || args[0] == "" {
		return ""
	}
	name := args[0]
	switch {
	case filepath.IsAbs(name):
	case strings.ContainsRune(name, filepath.Separator):
		name = filepath.Join(dir, name)
	default:
		name, _ = exec.LookPath(name)
	}
	if info, err := os.Stat(name); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		name, _ = os.Executable() // argv[0] is not a file: a login shell's "-name", say
	}
	return name
}

// generation is what the workers of one reload are started from.
type generation struct {
	number int
	path   string
	file   *os.File // the executable, kept open; nil where that can't be used
	args   []string // with the program's name
	dir    string
	home   *os.File // dir, kept open; nil where that can't be used
	env    []string
	cfg    Config
	as     *identity // nil: the master's
	users  int       // members, and the pool; the loop counts
}

// prepare looks everything up that the workers of a generation need. It reads files
// and calls the program's Env, so it has no place on the loop.
func prepare(number int, cfg Config) (*generation, error) {
	path, err := lookUp(cfg)
	if err != nil {
		return nil, err
	}
	as, err := cfg.identity()
	if err != nil {
		return nil, err
	}
	env, err := cfg.env()
	if err != nil {
		return nil, err
	}
	g := &generation{number: number, path: path, dir: cfg.dir(), env: env, cfg: cfg, as: as}
	g.args = append([]string{cfg.name(path)}, cfg.args()...)
	if err := g.open(); err != nil {
		return nil, err
	}
	g.home = g.openDir()
	return g, nil
}

func lookUp(cfg Config) (string, error) {
	if cfg.Exec == "" {
		if started.exec == "" {
			return "", errors.New("executable: this process was started without a name; set Config.Exec")
		}
		return started.exec, nil
	}
	path, err := exec.LookPath(cfg.Exec)
	if err != nil {
		return "", fmt.Errorf("executable: %w", err)
	}
	return filepath.Abs(path)
}

// open checks the executable and keeps it open: a worker that crashes is started
// again from the file that its generation was started from, whatever has come to
// stand at the path since.
func (g *generation) open() error {
	f, err := os.Open(g.path)
	if errors.Is(err, os.ErrPermission) {
		return nil // may be executable without being readable; exec will tell
	}
	if err != nil {
		return fmt.Errorf("executable: %w", err)
	}
	info, err := f.Stat()
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		err = &os.PathError{Op: "exec", Path: g.path, Err: os.ErrPermission}
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("executable: %w", err)
	}
	if isScript(f) {
		f.Close() // its interpreter couldn't open a descriptor that exec closes
		return nil
	}
	g.file = f
	return nil
}

func isScript(f *os.File) bool {
	var head [2]byte
	_, err := f.ReadAt(head[:], 0)
	return err == nil && string(head[:]) == "#!"
}

// command is the path to start a worker by: the plain one while the file there is
// still the one that was opened (so that tools show the name), else the open file's.
func (g *generation) command() string {
	if g.file == nil {
		return g.path
	}
	kept, err := g.file.Stat()
	if err != nil {
		return g.path
	}
	now, err := os.Stat(g.path)
	if err == nil && os.SameFile(kept, now) {
		return g.path
	}
	return descriptorPath(g.file, g.path)
}

// openDir keeps the working directory open: often it is the folder of a release, and is
// removed with it. One that is gone already is this process's own, if that has none that
// can be named.
func (g *generation) openDir() *os.File {
	f, err := openDirectory(g.dir)
	if err != nil && g.cfg.Dir == "" && isCut() {
		f, err = openDirectory(".")
	}
	if err != nil {
		return nil // the start of a worker will say why
	}
	return f
}

// isCut reports whether this process's working directory was removed.
func isCut() bool {
	_, err := os.Getwd()
	return err != nil
}

// workDir is the path of the directory to start a worker in: the plain one while there
// is one, else the open one.
func (g *generation) workDir() string {
	if _, err := os.Stat(g.dir); err == nil || g.home == nil {
		return g.dir
	}
	return descriptorPath(g.home, g.dir)
}

// leave takes one user off; the last closes what is kept open.
func (g *generation) leave() {
	if g.users--; g.users > 0 {
		return
	}
	for _, f := range []*os.File{g.file, g.home} {
		if f != nil {
			f.Close()
		}
	}
}

func (c Config) name(path string) string {
	if c.Exec == "" && len(started.args) > 0 {
		return started.args[0]
	}
	return path
}

func (c Config) args() []string {
	if c.Args == nil {
		return started.args[min(1, len(started.args)):]
	}
	return c.Args
}

func (c Config) dir() string {
	if c.Dir == "" {
		return started.dir
	}
	return c.Dir
}

func (c Config) env() (env []string, err error) {
	if c.Env == nil {
		return os.Environ(), nil
	}
	err = guarded("Config.Env", c.logger(), func() error { env = c.Env(); return nil })
	return env, err
}
