package ipc_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"testing"

	"github.com/rota-go/rota/ipc"
)

func TestDecode(t *testing.T) {
	msg := ipc.Message{Data: json.RawMessage(`[1,2]`)}
	var numbers []int
	if err := msg.Decode(&numbers); err != nil || len(numbers) != 2 || numbers[1] != 2 {
		t.Errorf("Decode: %v, error %v; want [1 2]", numbers, err)
	}
	var text string
	var wrong *json.UnmarshalTypeError
	if err := msg.Decode(&text); !errors.As(err, &wrong) {
		t.Errorf("Decode of an array into a string: error %v, want a *json.UnmarshalTypeError", err)
	}
	var syntax *json.SyntaxError
	if err := (ipc.Message{}).Decode(&text); !errors.As(err, &syntax) {
		t.Errorf("Decode of an empty message: error %v, want a *json.SyntaxError", err)
	}
}

func TestString(t *testing.T) {
	const text = `{"n": 1}`
	if got := (ipc.Message{Data: json.RawMessage(text)}).String(); got != text {
		t.Errorf("String: %q, want %q", got, text)
	}
}

// A handle to send can't be opened in the process that made it. Close leaves its conn,
// listener or file open.
func TestHandlesToSend(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]ipc.Handle{
		"FromConn": ipc.FromConn(conn), "FromListener": ipc.FromListener(ln),
		"FromPacketConn": ipc.FromPacketConn(packets), "FromFile": ipc.FromFile(file),
	} {
		for method, err := range openAll(h) {
			if !errors.Is(err, ipc.ErrHandle) {
				t.Errorf("%s: %s: error %v, want ErrHandle", name, method, err)
			}
		}
		if err := h.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
	if err := file.Close(); err != nil {
		t.Errorf("the file was closed by its handle: %v", err)
	}
}

// openAll returns the errors of the methods that open a handle.
func openAll(h ipc.Handle) map[string]error {
	_, conn := h.Conn()
	_, listener := h.Listener()
	_, packetConn := h.PacketConn()
	_, file := h.File()
	return map[string]error{"Conn": conn, "Listener": listener, "PacketConn": packetConn, "File": file}
}
