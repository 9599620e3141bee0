package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/rota-go/rota/status"
)

const (
	clientLimit = 2 * time.Second // for a request and its answer
	waitLimit   = 5 * time.Minute // for /drain?wait=
	headerLimit = 4 << 10
)

func (s *Server) serveHTTP(ln net.Listener) {
	h := http.Server{
		Handler: s.handler(), ReadTimeout: clientLimit, WriteTimeout: 2*clientLimit + answerLimit,
		MaxHeaderBytes: headerLimit, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	h.SetKeepAlivesEnabled(false) // the next check may be the new master's
	_ = h.Serve(ln)               // it ends with the master, or with its successor's takeover
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		ok, why := s.report().alive()
		answer(w, ok, why)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ok, why := s.report().isReady(s.cfg)
		answer(w, ok, why)
	})
	mux.HandleFunc("POST /drain", s.fromHere(func(w http.ResponseWriter, r *http.Request) { s.setDrain(w, r, true) }))
	mux.HandleFunc("DELETE /drain", s.fromHere(func(w http.ResponseWriter, r *http.Request) { s.setDrain(w, r, false) }))
	return mux
}

// report returns what is known of the master now.
func (s *Server) report() report { return s.pulse.get() }

func answer(w http.ResponseWriter, ok bool, why string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, why)
}

// setDrain says whether new clients are welcome, and answers after ?wait=.
func (s *Server) setDrain(w http.ResponseWriter, r *http.Request, drained bool) {
	wait, err := waitOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.tellMaster(drained, "health "+r.RemoteAddr); err != nil {
		answer(w, false, err.Error())
		return
	}
	// The client's context ends with its connection: the read deadline is over by then.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(wait + clientLimit)) // never fails on a net.Conn
	_ = control.SetWriteDeadline(time.Now().Add(wait + clientLimit))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		answer(w, true, "ok")
	case <-r.Context().Done():
	}
}

// tellMaster tells the master whether it is drained, within answerLimit. One client at a time: a master
// that doesn't answer is told once.
func (s *Server) tellMaster(drained bool, who string) error {
	timer, result := time.NewTimer(answerLimit), make(chan error, 1)
	defer timer.Stop()
	select {
	case s.turn <- struct{}{}:
	case <-timer.C:
		return errNoAnswer
	}
	go func() {
		defer func() { <-s.turn }()
		err := s.m.SetDrained(status.By(context.Background(), who), drained)
		s.pulse.forget()
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return errNoAnswer
	}
}

var errNoAnswer = errors.New("the master doesn't answer")

func waitOf(r *http.Request) (wait time.Duration, err error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err = time.ParseDuration(text)
	if err == nil && (wait < 0 || wait > waitLimit) {
		err = fmt.Errorf("wait=%s: want 0 to %s", text, waitLimit)
	}
	return wait, err
}

// fromHere refuses clients of other hosts: those whose address is not of this one, those that a
// proxy on this one passes on, and pages in a browser.
func (s *Server) fromHere(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.RemoteAddr) || isPassedOn(r.Header) {
			http.Error(w, "from this host only", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// isLocal reports whether a client is on this host. One on a unix socket has no address.
func isLocal(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	return err != nil && (remote == "" || remote == "@") || err == nil && a.Addr().Unmap().IsLoopback()
}

// isPassedOn reports whether a request was made by a proxy or by a page in a browser.
func isPassedOn(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via", "Origin", "Sec-Fetch-Site"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}
