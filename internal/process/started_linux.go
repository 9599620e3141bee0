//go:build linux

package process

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// startState is what Restart restores besides Invocation.
type startState struct {
	env   []string
	umask int              // -1 if not known
	files map[int]openFile // the descriptors above standard error that exec passed
	death int              // the signal for when the parent dies (PR_SET_PDEATHSIG), an attribute of the main thread; 0: none
}

// openFile identifies what a descriptor has open.
type openFile struct{ dev, ino uint64 }

func captureState() startState {
	s := startState{env: os.Environ(), umask: readUmask(), files: inheritedFiles()}
	s.death = deathSignal()
	return s
}

// deathSignal returns the signal that the calling thread gets when its parent dies. Package
// initialization runs on the main thread, whose attribute a supervisor has set.
func deathSignal() int {
	sig := new(int32)
	err := unix.Prctl(unix.PR_GET_PDEATHSIG, reflect.ValueOf(sig).Pointer(), 0, 0, 0)
	runtime.KeepAlive(sig)
	if err != nil {
		return 0
	}
	return int(*sig)
}

// readUmask reads the umask. There is no system call that returns it without setting it.
func readUmask() int {
	b, _ := os.ReadFile("/proc/self/status")
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "Umask:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 8, 32)
			if err == nil {
				return int(n)
			}
		}
	}
	return -1
}

// Umask returns the umask of this process, or -1 if it is not known.
func Umask() int { return readUmask() }

func inheritedFiles() map[int]openFile {
	files := map[int]openFile{}
	for _, n := range descriptor.Open() {
		flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		if f, ok := identify(n); ok && err == nil && flags&unix.FD_CLOEXEC == 0 {
			files[n] = f
		}
	}
	return files
}

func identify(n int) (openFile, bool) {
	var st unix.Stat_t
	if err := unix.Fstat(n, &st); err != nil {
		return openFile{}, false
	}
	return openFile{uint64(st.Dev), st.Ino}, true
}

func canRestart() bool {
	_, err := os.Stat(selfExe)
	return err == nil && len(started.Args) > 0
}

func restart(env []string, files []*os.File) error {
	runtime.LockOSThread() // exec keeps the attributes of this thread
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(state.death), 0, 0, 0) // fails for no known reason
	undo := state.restore(files)
	stopTimers()
	err := syscall.Exec(selfExe, started.Args, append(state.env[:len(state.env):len(state.env)], env...))
	undo()
	return os.NewSyscallError("execve", err)
}

// restore sets what exec keeps to what it was at the start, and returns a function that
// undoes what the program could notice.
func (s startState) restore(files []*os.File) (undo func()) {
	s.restoreDescriptors(files)
	dir, _ := os.Getwd()
	if started.Dir != "" && started.Dir != dir {
		_ = os.Chdir(started.Dir) // gone: the master has no use for its directory
	}
	umask := -1
	if s.umask >= 0 {
		umask = unix.Umask(s.umask)
	}
	return func() {
		if umask >= 0 {
			unix.Umask(umask)
		}
		if dir != "" {
			_ = os.Chdir(dir)
		}
	}
}

// restoreDescriptors makes exec pass the descriptors that this process was started with,
// and files. All others are closed by exec: what the program has opened is not the
// master's.
func (s startState) restoreDescriptors(files []*os.File) {
	keep := map[int]bool{}
	for _, f := range files {
		if raw, err := f.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { keep[int(fd)] = true }) // closed: not passed
		}
	}
	for _, n := range descriptor.Open() {
		was, inherited := s.files[n]
		now, ok := identify(n)
		flags := unix.FD_CLOEXEC
		if keep[n] || inherited && ok && was == now {
			flags = 0
		}
		_, _ = unix.FcntlInt(uintptr(n), unix.F_SETFD, flags) // the descriptor of the directory is closed by now
	}
}

// stopTimers stops interval timers, which exec keeps. Their signals would kill the new
// program before its runtime has a handler.
func stopTimers() {
	for _, which := range []unix.ItimerWhich{unix.ItimerReal, unix.ItimerVirtual, unix.ItimerProf} {
		_, _ = unix.Setitimer(which, unix.Itimerval{}) // fails for no known reason, and changes nothing then
	}
}

// comm is the file of this process's name.
const comm = "/proc/self/comm"

func restoreName() {
	b, err := os.ReadFile(comm)
	name := strings.TrimSpace(string(b))
	if err != nil || name == "" || name != "exe" && strings.Trim(name, "0123456789") != "" {
		return
	}
	setName("")
}

func nameWorker(slot int) { setName(fmt.Sprintf(":w%d", slot)) }

// setName names this process after its program. The kernel keeps 15 bytes.
func setName(suffix string) {
	if len(os.Args) == 0 {
		return
	}
	name := filepath.Base(os.Args[0])
	name = name[:min(len(name), 15-len(suffix))] + suffix
	_ = os.WriteFile(comm, []byte(name), 0) // an error has no consequences
}
