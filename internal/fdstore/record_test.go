package fdstore

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var someRecord = Record{
	Version: Version, Generation: 3, Executable: "rota.executable.1.2",
	Sockets: []Socket{{"rota.socket.a", json.RawMessage(`{"x":1}`)}}, State: json.RawMessage(`{"workers":2}`),
}

func TestRecord(t *testing.T) {
	b, err := someRecord.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Decode(b); err != nil || !reflect.DeepEqual(r, someRecord) {
		t.Errorf("%+v came as %+v, %v", someRecord, r, err)
	}
	for i := range b {
		damaged := append([]byte(nil), b...)
		damaged[i] ^= 1
		if r, err := Decode(damaged); err == nil {
			t.Fatalf("byte %d was changed, and the record read as %+v", i, r)
		}
		if _, err := Decode(b[:i]); err == nil {
			t.Fatalf("the first %d bytes are a record", i)
		}
	}
}

// A record whose sum is right may still be none of a master.
func TestRecordOutOfRange(t *testing.T) {
	for name, body := range map[string]string{
		"no generation":         `{"version":1}`,
		"negative":              `{"version":1,"generation":-1}`,
		"too high":              `{"version":1,"generation":9223372036854775807}`,
		"another version":       `{"version":2,"generation":1}`,
		"too many sockets":      `{"version":1,"generation":1,"sockets":[` + strings.Repeat(`{},`, maxSockets) + `{}]}`,
		"not JSON":              `{`,
		"too large":             `"` + strings.Repeat("x", maxRecord) + `"`,
		"JSON of another thing": `[1]`,
	} {
		if r, err := Decode([]byte(head([]byte(body)) + body)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
	if _, err := (Record{State: json.RawMessage(`"` + strings.Repeat("x", maxRecord) + `"`)}).Encode(); err == nil {
		t.Error("a record that can't be read was written")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"version":1,"generation":2,"sockets":[{"name":"rota.socket.1","socket":{}}],"state":{}}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, body string) {
		_, _ = Decode([]byte(body))
		r, err := Decode([]byte(head([]byte(body)) + body))
		if err == nil && (r.Generation < 1 || r.Version != Version || len(r.Sockets) > maxSockets) {
			t.Errorf("%q was read as %+v", body, r)
		}
	})
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"rota.socket.1f": true, "rota.": true, "web": false, "": false, "ROTA.x": false,
		"rota.x\nREADY=1": false, "rota.a:b": false, "rota." + strings.Repeat("x", 100): false,
	} {
		if IsOurs(name) != want {
			t.Errorf("IsOurs(%q) is %v", name, !want)
		}
	}
	for _, name := range []string{"rota.record.01", "rota.record.-1", "rota.record.", "rota.record.99999999999999999999", "rota.socket.1"} {
		if n, ok := recordNumber(name); ok {
			t.Errorf("%s is record %d", name, n)
		}
	}
}
