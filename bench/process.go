package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// server is a row of the table.
type server struct {
	name    string
	does    string      // what of the shapes it can: letters
	present func() bool // nil: always
	command func(p *process) (*exec.Cmd, error)
	reload  func(p *process) error // nil: it is never reloaded
	pid     func(p *process) int   // nil: the command's
}

// process is a running server.
type process struct {
	server server
	shape  shape
	trial  time.Duration // of a new worker of rota's
	dir    string
	addr   string
	cmd    *exec.Cmd
	log    *os.File
	ended  chan struct{}
}

func (s server) serves(shape shape) bool {
	for _, l := range s.does {
		if string(l) == shape.letter {
			return s.present == nil || s.present()
		}
	}
	return false
}

func installed(name string) func() bool {
	return func() bool { _, err := exec.LookPath(name); return err == nil }
}

// start starts a server and waits until it can be reached.
func start(dir string, s server, shape shape, trial time.Duration) (*process, error) {
	sub, err := os.MkdirTemp(dir, s.name+"-")
	if err != nil {
		return nil, err
	}
	p := &process{server: s, shape: shape, trial: trial, dir: sub, addr: freeAddr(), ended: make(chan struct{})}
	if p.cmd, err = s.command(p); err != nil {
		return nil, err
	}
	if p.log, err = os.Create(filepath.Join(sub, "log")); err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	return p, p.await()
}

func (p *process) await() error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			_ = c.Close()
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(p.log.Name())
			p.stop()
			return fmt.Errorf("%s can't be reached: %w\n%s", p.server.name, err, log)
		}
	}
}

// signal sends a signal to the process that handles them.
func (p *process) signal(s syscall.Signal) error {
	pid := p.cmd.Process.Pid
	if p.server.pid != nil {
		pid = p.server.pid(p)
	}
	return syscall.Kill(pid, s)
}

// stop ends the server and the processes that it has started: those in its process group,
// and rota's workers, which end with their master.
func (p *process) stop() {
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
	_ = p.log.Close()
}

func reloadBy(s syscall.Signal) func(*process) error {
	return func(p *process) error { return p.signal(s) }
}

// startBeside starts the same program beside the server, and ends it when a reload of rota's would have ended the old worker: what
// that costs the server's clients, although nothing of theirs changes.
func startBeside(p *process) error {
	cmd := exec.Command(serverFile(p.dir), "-as", "plain", "-addr", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		return err
	}
	time.AfterFunc(p.trial+leaves, func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return nil
}

// leaves is how long after the trial of its successor a worker of rota's ends.
const leaves = 100 * time.Millisecond

func freeAddr() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Files that all servers use.
func certFile(dir string) string   { return filepath.Join(filepath.Dir(dir), "cert.pem") }
func bigFile(dir string) string    { return filepath.Join(filepath.Dir(dir), "files", "big") }
func serverFile(dir string) string { return filepath.Join(filepath.Dir(dir), "server") }

// prepare creates the files that all servers use.
func prepare(dir string) error {
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "server"), "./server")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), both, 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "files", "big"), nil, 0o644); err != nil {
		return err
	}
	return os.Truncate(filepath.Join(dir, "files", "big"), transferSize)
}
