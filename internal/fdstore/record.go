// Package fdstore has a manager keep what the next master needs after a crash of this one:
// systemd's descriptor store. A [Keeper] sends the manager descriptors, with names, and takes
// them back; [Kept] are those that the manager has passed to this process. Among them is a
// [Record], which says what the others are.
//
// The descriptors come back by LISTEN_FDS, from whoever has started the process. So they are
// checked: a Record that is damaged, or isn't one, is an error, and gives nothing away.
package fdstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Version is the version of a Record. A later one adds fields, which a reader of this version
// ignores; one that changes the meaning of a field changes the number.
const Version = 1

// maxRecord and maxSockets bound what is read.
const (
	maxRecord  = 4 << 20
	maxSockets = 1 << 14
)

// Record is what a master knows, and what its other descriptors in the store are. The raw
// fields are the owner's.
type Record struct {
	Version    int             `json:"version"`
	Generation int             `json:"generation"`           // whose workers serve
	Executable string          `json:"executable,omitempty"` // the name of the descriptor that they were started from
	Sockets    []Socket        `json:"sockets"`
	Shared     []Shared        `json:"shared,omitempty"`
	State      json.RawMessage `json:"state"`
}

// Socket is one of the master's.
type Socket struct {
	Name   string          `json:"name"` // of its descriptor
	Socket json.RawMessage `json:"socket"`
}

// Shared is a file that the workers share.
type Shared struct {
	Name  string `json:"name"` // of its descriptor
	File  string `json:"file"` // what workers ask for
	Spare bool   `json:"spare,omitempty"`
}

// Encode returns r as one line with a check sum, and then JSON.
func (r Record) Encode() ([]byte, error) {
	r.Version = Version
	body, err := json.Marshal(r)
	if err == nil && (len(body) > maxRecord-128 || !r.isBounded()) {
		err = errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return append([]byte(head(body)), body...), nil
}

func head(body []byte) string {
	sum := sha256.Sum256(body)
	return "rota " + hex.EncodeToString(sum[:]) + "\n"
}

var (
	errTooLarge = errors.New("it is too large")
	errDamaged  = errors.New("it is damaged")
	errNumbers  = errors.New("a number is out of range")
)

// Decode is the inverse of Encode.
func Decode(b []byte) (r Record, err error) {
	line, body, ok := bytes.Cut(b, []byte("\n"))
	switch {
	case len(b) > maxRecord:
		err = errTooLarge
	case !ok || string(line)+"\n" != head(body):
		err = errDamaged
	default:
		err = json.Unmarshal(body, &r)
	}
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	return r, nil
}

func (r Record) check() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("it has version %d, this master reads %d", r.Version, Version)
	case r.Generation < 1 || r.Generation > maxNumber:
		return errNumbers
	case !r.isBounded():
		return errTooLarge
	}
	return nil
}

func (r Record) isBounded() bool {
	return max(len(r.Sockets), len(r.Shared)) <= maxSockets
}

// maxNumber bounds generations and the like, so that counting on from them overflows nothing.
const maxNumber = 1 << 30
