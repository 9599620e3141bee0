package listentest

import (
	"net"
	"path/filepath"
	"strings"
)

var packetBindCases = []testCase{
	{"InUse", "The same explicit address twice in one process: EADDRINUSE, as with net.ListenPacket (docs/contract.md#sharing-3).", "", packetInUse},
	{"InUseElsewhere", "Errors look local: EADDRINUSE where somebody else has the address (docs/contract.md#sharing-8).", "", packetInUseElsewhere},
	{"FailureForgotten", "A failed bind is forgotten at once (docs/contract.md#sharing-8).", udpNets, packetFailureForgotten},
	{"NotLocal", "Errors look local: EADDRNOTAVAIL for an address of no interface here (docs/contract.md#sharing-8).", udpNets, packetNotLocal},
	{"PathTooLong", "A path too long is an error, never truncated (docs/contract.md#sharing-7).", "unixgram", packetPathTooLong},
	{"PathNoDirectory", "Errors look local: ENOENT for a path in a directory that is not there (docs/contract.md#sharing-8).", "unixgram", packetPathNoDirectory},
}

// wantPacketError is wantListenError for packet sockets.
func (t *trial) wantPacketError(address string) {
	t.Helper()
	plain, want := net.ListenPacket(t.network, address)
	if want == nil {
		plain.Close()
		t.Skipf("net can listen on %s %s here", t.network, address)
	}
	pc, err := t.tryPacketConn(address)
	if err == nil {
		t.Fatalf("it listens on %v, net says: %v", pc.LocalAddr(), want)
	}
	if pc != nil {
		t.Errorf("a packet conn beside the error: %v", pc)
	}
	t.wantSameError(err, want)
}

func packetInUse(t *trial) {
	pc, address := t.packetConnFree()
	t.wantPacketError(address)
	t.converse(pc, t.peer())
}

func packetInUseElsewhere(t *trial) {
	t.wantPacketError(t.peer().LocalAddr().String())
}

func packetFailureForgotten(t *trial) {
	first := t.peer()
	address := first.LocalAddr().String()
	t.wantPacketError(address)
	first.Close()
	t.converse(t.packetConnOn(address), t.peer())
}

func packetNotLocal(t *trial) { t.wantPacketError(elsewhere(t.network)) }

func packetPathTooLong(t *trial) {
	t.wantPacketError(filepath.Join(t.dir(), strings.Repeat("long", 50)))
}

func packetPathNoDirectory(t *trial) {
	t.wantPacketError(filepath.Join(t.dir(), "missing", "s"))
}
