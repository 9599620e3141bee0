package rotaquic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// idLen is the length of a connection id: one block of AES.
const idLen = aes.BlockSize

// secretLen is the length of the secret that the workers share.
const secretLen = 32

// place names a worker: a member of the table, and how many workers had it before.
type place struct {
	index uint8
	epoch uint32
}

// keys are what is derived from the secret.
type keys struct {
	ids    cipher.Block // encrypts connection ids
	hashes cipher.Block // hashes the ids that clients choose
	resets quic.StatelessResetKey
	token  quic.TokenGeneratorKey
}

func newKeys(secret []byte) (k keys, err error) {
	var ids, hashes [16]byte
	for _, d := range []struct {
		what string
		key  []byte
	}{{"connection ids", ids[:]}, {"handshakes", hashes[:]}, {"stateless resets", k.resets[:]}, {"tokens", k.token[:]}} {
		b, err := hkdf.Expand(sha256.New, secret, "rotaquic "+d.what, len(d.key))
		if err != nil {
			return k, err
		}
		copy(d.key, b)
	}
	if k.ids, err = aes.NewCipher(ids[:]); err != nil {
		return k, err
	}
	k.hashes, err = aes.NewCipher(hashes[:])
	return k, err
}

// encode returns the connection id number n of a worker. In clear it is:
//
//	0, 4 bytes; member, 1; epoch, 4; n, 7
func (k keys) encode(p place, n uint64) (id [idLen]byte) {
	binary.BigEndian.PutUint64(id[8:], n)
	id[4] = p.index
	binary.BigEndian.PutUint32(id[5:], p.epoch)
	k.ids.Encrypt(id[:], id[:])
	return id
}

// decode returns whose connection id that is, and false if it is none of encode's.
func (k keys) decode(id []byte) (p place, ok bool) {
	if len(id) != idLen {
		return p, false
	}
	var clear [idLen]byte
	k.ids.Decrypt(clear[:], id)
	p = place{index: clear[4], epoch: binary.BigEndian.Uint32(clear[5:])}
	return p, binary.BigEndian.Uint32(clear[:]) == 0
}

// hash returns a number for a connection id of a client, of 20 bytes at most in QUIC as it is. Who doesn't know the
// secret can't choose it.
func (k keys) hash(id []byte) uint64 {
	var sum [aes.BlockSize]byte
	sum[0] = byte(len(id))
	for {
		n := 0
		for ; n < len(id) && n < len(sum)-1; n++ {
			sum[n+1] ^= id[n]
		}
		k.hashes.Encrypt(sum[:], sum[:])
		if id = id[n:]; len(id) == 0 {
			return binary.BigEndian.Uint64(sum[:])
		}
	}
}

// generator makes the connection ids of one worker.
type generator struct {
	keys  keys
	place place
	last  atomic.Uint64
}

// GenerateConnectionID returns an id that no other call returns.
func (g *generator) GenerateConnectionID() (quic.ConnectionID, error) {
	id := g.keys.encode(g.place, g.last.Add(1))
	return quic.ConnectionIDFromBytes(id[:]), nil
}

// ConnectionIDLen returns the length of all ids.
func (g *generator) ConnectionIDLen() int { return idLen }
