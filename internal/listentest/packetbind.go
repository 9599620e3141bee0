package listentest

import (
	"net"
	"path/filepath"
	"strings"
)

var packetBindCases = []testCase{
	{"InUse", "Contract 1, rule 3: the same explicit address twice in one process: EADDRINUSE, as with net.ListenPacket.", "", packetInUse},
	{"InUseElsewhere", "Contract 1, rule 8: errors look local: EADDRINUSE where somebody else has the address.", "", packetInUseElsewhere},
	{"FailureForgotten", "Contract 1, rule 8: a failed bind is forgotten at once.", udpNets, packetFailureForgotten},
	{"NotLocal", "Contract 1, rule 8: errors look local: EADDRNOTAVAIL for an address of no interface here.", udpNets, packetNotLocal},
	{"PathTooLong", "Contract 1, rule 7: a path too long is an error, never truncated.", "unixgram", packetPathTooLong},
	{"PathNoDirectory", "Contract 1, rule 8: errors look local: ENOENT for a path in a directory that is not there.", "unixgram", packetPathNoDirectory},
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
