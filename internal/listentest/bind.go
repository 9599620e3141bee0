package listentest

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

var bindCases = []testCase{
	{"InUse", "The same explicit address twice in one process: EADDRINUSE, as with net.Listen (docs/contract.md#sharing-3).", "", inUse},
	{"InUseElsewhere", "Errors look local: EADDRINUSE where somebody else has the address (docs/contract.md#sharing-8).", "", inUseElsewhere},
	{"FailureForgotten", "A failed bind is forgotten at once (docs/contract.md#sharing-8).", "", failureForgotten},
	{"NotLocal", "Errors look local: EADDRNOTAVAIL for an address of no interface here (docs/contract.md#sharing-8).", tcpNets, notLocal},
	{"NotPermitted", "Errors look local: EACCES for a port or a directory that is not ours (docs/contract.md#sharing-8).", byteNets, notPermitted},
	{"PathTooLong", "A path too long is an error, never truncated (docs/contract.md#sharing-7).", "unix unixpacket", pathTooLong},
	{"PathNoDirectory", "Errors look local: ENOENT for a path in a directory that is not there (docs/contract.md#sharing-8).", "unix unixpacket", pathNoDirectory},
	{"PathRegularFile", "A regular file is never touched (docs/contract.md#sharing-7).", "unix unixpacket", pathRegularFile},
}

// wantListenError wants the error that net gives at the same moment for the same
// arguments. What net can do here is no case of error.
func (t *trial) wantListenError(address string) {
	t.Helper()
	plain, want := net.Listen(t.network, address)
	if want == nil {
		plain.Close()
		t.Skipf("net can listen on %s %s here", t.network, address)
	}
	ln, err := t.tryListen(address)
	if err == nil {
		t.Fatalf("it listens on %v, net says: %v", ln.Addr(), want)
	}
	if ln != nil {
		t.Errorf("a listener beside the error: %v", ln)
	}
	t.wantSameError(err, want)
}

func inUse(t *trial) {
	ln, address := t.listenFree()
	t.wantListenError(address)
	t.exchange(t.connect(ln))
}

func inUseElsewhere(t *trial) {
	ln := t.plainListen(t.address())
	t.wantListenError(ln.Addr().String())
}

func failureForgotten(t *trial) {
	ln := t.plainListen(t.address())
	address := ln.Addr().String()
	t.wantListenError(address)
	t.connect(ln) // stays open, so that nobody else is given the port
	ln.Close()
	t.exchange(t.connect(t.listenOn(address)))
}

// elsewhere is an address of a network for documentation (RFC 5737, RFC 3849).
func elsewhere(network string) string {
	if strings.HasSuffix(network, "6") {
		return "[2001:db8::1]:0"
	}
	return "203.0.113.1:0"
}

func notLocal(t *trial) { t.wantListenError(elsewhere(t.network)) }

func notPermitted(t *trial) {
	if !t.isUnix() {
		t.wantListenError(strings.TrimSuffix(t.address(), "0") + "1")
		return
	}
	dir := t.dir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatalf("Chmod: %v", err)
	}
	t.wantListenError(filepath.Join(dir, "s"))
}

func pathTooLong(t *trial) {
	dir := t.dir()
	t.wantListenError(filepath.Join(dir, strings.Repeat("long", 50)))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

func pathNoDirectory(t *trial) {
	t.wantListenError(filepath.Join(t.dir(), "missing", "s"))
}

func pathRegularFile(t *trial) {
	path := t.address()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatalf("no file: %v", err)
	}
	t.wantListenError(path)
	if got, err := os.ReadFile(path); string(got) != "precious" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}
