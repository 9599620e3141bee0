package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
)

// member is a client. The exported fields go to the next worker.
type member struct {
	Name      string
	Voice     *voice
	Delivered map[string]int // how many texts, by the ID of a voice
	Gone      []*voice       // of members that have gone, which somebody may not have heard yet
	Unread    []byte         // was read, and is not a whole frame yet

	conn net.Conn
}

const (
	maxText   = 64 << 10    // of one frame
	patience  = time.Second // with a client that doesn't read
	bufferFor = 4096        // bytes that are read at once
)

var errTooLong = errors.New("a frame is too long")

// read reads the next whole frame, from the client if need be.
func (m *member) read() (ws.Frame, error) {
	b := make([]byte, bufferFor)
	for {
		if f, ok, err := m.next(); ok || err != nil {
			return f, err
		}
		n, err := m.conn.Read(b)
		m.Unread = append(m.Unread, b[:n]...)
		if err != nil && n == 0 {
			return ws.Frame{}, err
		}
	}
}

// next returns the next frame, if all of it was read.
func (m *member) next() (f ws.Frame, ok bool, err error) {
	r := bytes.NewReader(m.Unread)
	f.Header, err = ws.ReadHeader(r)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return f, false, nil
	}
	if err == nil && f.Header.Length > maxText {
		err = errTooLong
	}
	if err != nil || int64(r.Len()) < f.Header.Length {
		return f, false, err
	}
	begin := len(m.Unread) - r.Len()
	end := begin + int(f.Header.Length)
	f.Payload = bytes.Clone(m.Unread[begin:end])
	m.Unread = m.Unread[end:]
	return ws.UnmaskFrameInPlace(f), true, nil
}

// write sends whole frames.
func (m *member) write(frames []byte) error {
	_ = m.conn.SetWriteDeadline(time.Now().Add(patience)) // fails if it is closed, and so does Write
	_, err := m.conn.Write(frames)
	return err
}

// tell sends what it has not been told of some voices.
func (m *member) tell(all ...*voice) error {
	var frames []byte
	for _, v := range all {
		for _, t := range v.after(m.Delivered[v.ID]) {
			frames = append(frames, ws.MustCompileFrame(ws.NewTextFrame([]byte(t.Text)))...)
		}
		m.Delivered[v.ID] = max(v.Count, m.Delivered[v.ID])
	}
	if len(frames) == 0 {
		return nil
	}
	return m.write(frames)
}
