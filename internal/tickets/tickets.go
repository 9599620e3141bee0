// Package tickets has the keys of TLS session tickets that the workers of a master share:
// with them a client resumes its session at every worker, and after a reload.
package tickets

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// Every is how often a new key is made, also if masters are replaced more often. Tickets of Kept keys are accepted: those of the
// last seven days, as in crypto/tls.
const (
	Every = 24 * time.Hour
	Kept  = 8
)

// Key is a key of session tickets, as in tls.Config.SetSessionTicketKeys. One that Keys has made
// begins with when that was, so that a later master of any version keeps it: 8 bytes, the seconds
// since 1970. The other 24 are random: more than the 16 of AES and HMAC that crypto/tls makes of
// them by a hash, which also hides the time.
type Key = [32]byte

// Keys makes the keys and renews them. The master's loop owns it and calls its methods; the
// functions are called there.
type Keys struct {
	After   func(time.Duration, func()) (stop func()) // calls a function on the loop
	Changed func([]Key)                               // there are others

	all   []Key // the newest first
	fixed bool
	stop  func()
}

// Set sets the keys that the configuration has, which are not renewed. None leaves the
// keys as they are.
func (k *Keys) Set(keys []Key) {
	if len(keys) > 0 {
		k.Stop()
		k.fixed = true
		k.change(keys)
	}
}

// Adopt continues with the keys of another master.
func (k *Keys) Adopt(keys []Key) {
	if !k.fixed && len(keys) > 0 {
		k.change(keys[:min(len(keys), Kept)])
	}
}

// All returns the keys, the newest first: the one that new tickets are encrypted with. The
// first call makes one, and begins to renew it.
func (k *Keys) All() []Key {
	if k.stop == nil && !k.fixed {
		if len(k.all) == 0 {
			k.all = renewed(nil)
		}
		k.stop = k.After(left(k.all[0]), k.renew)
	}
	return k.all
}

// Stop ends the renewal.
func (k *Keys) Stop() {
	if k.stop != nil {
		k.stop()
	}
}

func (k *Keys) renew() {
	if k.fixed {
		return
	}
	k.stop = k.After(Every, k.renew)
	k.change(renewed(k.all))
}

func (k *Keys) change(keys []Key) {
	k.all = keys
	k.Changed(keys)
}

// renewed returns a new key and the newest of keys.
func renewed(keys []Key) []Key {
	var first Key
	_, _ = rand.Read(first[:]) // never fails; see its documentation
	binary.BigEndian.PutUint64(first[:], uint64(time.Now().Unix()))
	return append([]Key{first}, keys[:min(len(keys), Kept-1)]...)
}

// left returns how long a key is yet to be the newest: Every, if it doesn't say when it was made in the
// days for which keys are kept. It is of an older version, or of a configuration.
func left(key Key) time.Duration {
	now, made := time.Now().Unix(), int64(binary.BigEndian.Uint64(key[:]))
	if made > now || made < now-int64(Kept*Every/time.Second) {
		return Every
	}
	return max(Every-time.Duration(now-made)*time.Second, 0)
}
