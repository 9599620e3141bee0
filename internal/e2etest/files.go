//go:build linux

package e2etest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
)

// CopyFile copies an executable. No process is started meanwhile: until that executes
// something it would have the copy open for writing, and the copy could not be executed.
func CopyFile(t testing.TB, from, to string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	NoError(t, err)
	_, err = io.Copy(out, in)
	NoError(t, err)
	NoError(t, out.Close())
}

// ReplaceFile renames a new file with that content to path. No process is started
// meanwhile, as in CopyFile.
func ReplaceFile(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	writeFile(t, path+".new", []byte(content), mode)
	NoError(t, os.Rename(path+".new", path))
}

// writeFile is os.WriteFile. No process is started meanwhile, as in CopyFile.
func writeFile(t testing.TB, path string, content []byte, mode os.FileMode) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	NoError(t, os.WriteFile(path, content, mode))
}

// Exists reports whether there is a file at path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ShortDir returns a folder whose path is short enough for unix sockets in it, and that
// every user may read. The end of the test removes it.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "r")
	NoError(t, err)
	NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// FreeAddress returns an address of 127.0.0.1 that nobody listens on. Its port is below
// those that the kernel gives to clients, which could take it before the test uses it.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(firstEphemeral(t)-10_000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// FreePort returns the port of a FreeAddress.
func FreePort(t testing.TB) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(FreeAddress(t))
	return port
}

// firstEphemeral returns the first port that the kernel gives to clients.
func firstEphemeral(t testing.TB) (port int) {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	NoError(t, err)
	_, _ = fmt.Sscan(string(b), &port)
	if port < 11_000 {
		port = 32_768 // all ports are for clients: one may take the address, which is rare
	}
	return port
}
