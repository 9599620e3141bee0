package successor

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rota-go/rota/internal/process"
)

// setArgs makes tableflip start the new master as p says, and returns a function
// that undoes it.
//
// tableflip v1.2.3 reads os.Args when it starts the process and has no option for the
// arguments, nor for the executable, which it takes from the name. So where os.Args would start another program, or the same one with other
// arguments, os.Args is set for the time of the upgrade. A goroutine of the program that
// reads os.Args at that moment races with it. It happens only if the program has changed
// os.Args, or if the name that it was started by can't be found any more (a relative name
// after os.Chdir, or after a change of PATH).
func setArgs(p process.Invocation) (restore func()) {
	if len(p.Args) == 0 || slices.Equal(p.Args, os.Args) && found(p, p.Args[0]) {
		return func() {}
	}
	was, args := os.Args, slices.Clone(p.Args)
	if p.Exec != "" {
		args[0] = p.Exec
	}
	if slices.Equal(args, was) {
		return func() {}
	}
	os.Args = args
	return func() { os.Args = was }
}

// found reports whether tableflip, which looks name up now and starts it in the first
// working directory, starts p.Exec by it.
func found(p process.Invocation, name string) bool {
	if p.Exec == "" || name == p.Exec {
		return true // nothing better is known
	}
	if strings.ContainsRune(name, filepath.Separator) {
		dir, err := os.Getwd()
		return err == nil && dir == p.Dir && filepath.Join(dir, name) == p.Exec && executable(name)
	}
	path, err := exec.LookPath(name)
	return err == nil && path == p.Exec
}

// executable reports whether exec.LookPath, which tableflip calls, finds the path.
func executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
