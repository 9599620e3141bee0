package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// http2 makes one HTTP/2 connection after the other, each with several request loops. It
// calls the connection's RoundTrip, which never retries.
func (l *load) http2() {
	for !l.stopping.Load() {
		c, err := l.dialHTTP2()
		if err != nil {
			l.fail(fmt.Errorf("dial: %w", err))
			time.Sleep(time.Millisecond)
			continue
		}
		var streams sync.WaitGroup
		for range l.shape.streams {
			streams.Go(func() { l.stream(c) })
		}
		streams.Wait()
		_ = c.Close()
	}
}

func (l *load) dialHTTP2() (*http2.ClientConn, error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", l.p.addr)
	if err != nil {
		return nil, err
	}
	return new(http2.Transport).NewClientConn(c)
}

// stream makes requests until the server accepts no more on this connection.
func (l *load) stream(c *http2.ClientConn) {
	b := l.book()
	defer b.close()
	for !l.stopping.Load() && c.ReserveNewRequest() {
		began := time.Now()
		pid, err := exchange2(c, "https://"+l.p.addr+l.shape.path)
		switch {
		case err == nil:
			b.answered(began, pid)
		case unsent(err):
			return
		default:
			l.fail(err)
			return
		}
	}
}

// unsent reports whether err means that the request was not sent, because the client knew
// that the connection accepts no more.
func unsent(err error) bool {
	return strings.Contains(err.Error(), "client conn not usable") || strings.Contains(err.Error(), "client conn is closed")
}

func exchange2(c *http2.ClientConn, url string) (pid string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || string(body) != "hello\n") {
		err = errors.New(resp.Status + ": " + string(body))
	}
	return resp.Header.Get("X-Pid"), err
}
