//go:build linux

package dev

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// endLimit is how long the program may take to end before it is killed.
const endLimit = 10 * time.Second

// settings are what is good for development, unless the environment has them.
var settings = map[string]string{
	"ROTA_WORKERS":         "1",
	"ROTA_MIN_UPTIME":      "100ms",
	"ROTA_STOP_GRACE":      "1s",
	"ROTA_HEALTH_INTERVAL": "nolimit", // workers that are held can't answer
}

// program is the master of the program that runs.
type program struct {
	pid   int
	ended chan struct{} // closed when it has ended
}

// start starts the program. When it ends by itself that is said.
func (s *session) start() {
	cmd := exec.Command(s.executable(), s.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(environ(os.Environ()), "ROTA_CONTROL="+s.socket())
	// In a process group of its own: signals of the terminal come from here.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	p := &program{ended: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			err = cmd.Wait()
			close(p.ended)
			s.gone(p, err)
		}
	}()
	if err := <-started; err != nil {
		s.say("not started: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.program = p
}

// environ returns env with the settings that it doesn't have.
func environ(env []string) []string {
	has := map[string]bool{}
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		has[name] = true
	}
	for name, value := range settings {
		if !has[name] {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// gone says that the program has ended, unless it was asked to.
func (s *session) gone(p *program, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.program != p {
		return
	}
	how := "exit status 0"
	if err != nil {
		how = err.Error()
	}
	s.say("the program has ended: %s; it is started again when something changes", how)
}

// running reports whether the program runs.
func (s *session) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.program == nil {
		return false
	}
	select {
	case <-s.program.ended:
		return false
	default:
		return true
	}
}

// end ends the program gracefully, and waits for it.
func (s *session) end() {
	s.held.release()
	s.mu.Lock()
	p := s.program
	s.program = nil
	s.mu.Unlock()
	if p == nil {
		return
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(endLimit):
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.ended
	}
}
