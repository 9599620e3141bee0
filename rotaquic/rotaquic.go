// Package rotaquic serves QUIC and HTTP/3 through reloads: the packets of a connection reach the worker that has it,
// old workers included, and new connections go to workers of the new generation. It is for quic-go.
//
// Where an HTTP/3 server says
//
//	log.Fatal(srv.ListenAndServe())
//
// it says
//
//	log.Fatal(rotaquic.ListenAndServe(srv))
//
// and where a QUIC server calls quic.ListenAddr, it calls [Listen]. Where [rota.ListenPacket] is
// net.ListenPacket, as under go test and with ROTA=off, these functions are quic-go's.
//
// docs/quic.md says how it works, and what it costs.
package rotaquic

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/worker"
)

// Listen is quic.ListenAddr for a server whose processes can be replaced. In a process that nobody has started as a worker
// yet it makes the process the master, as [rota.Listen] does, and doesn't return.
//
// Clients resume their TLS sessions at every worker: config gets the master's ticket keys, unless it has a
// SessionTicketKey, WrapSession or SessionTicketsDisabled. Address tokens and stateless resets of one worker hold for all.
//
// Errors are those of rota.ListenPacket and quic.ListenAddr, and those of (*worker.Worker).SharedFile.
func Listen(addr string, config *tls.Config, quicConfig *quic.Config) (*Listener, error) {
	return listen(addr, config, func(t *quic.Transport, config *tls.Config) (acceptor, error) {
		return t.Listen(config, quicConfig)
	})
}

// ListenEarly is [Listen], but Accept returns connections before their handshake completes, as that of
// quic.ListenAddrEarly does.
func ListenEarly(addr string, config *tls.Config, quicConfig *quic.Config) (*Listener, error) {
	return listen(addr, config, func(t *quic.Transport, config *tls.Config) (acceptor, error) {
		return t.ListenEarly(config, quicConfig)
	})
}

func listen(addr string, config *tls.Config, accept func(*quic.Transport, *tls.Config) (acceptor, error)) (*Listener, error) {
	if config == nil {
		return nil, errors.New("rotaquic: tls.Config not set")
	}
	socket, err := rota.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	l, err := newListener(socket, addr, worker.Self())
	if err != nil {
		_ = socket.Close() // nothing was written to it
		return nil, err
	}
	if l.acceptor, err = accept(l.transport, withTickets(config, l.worker)); err != nil {
		l.close()
		return nil, err
	}
	l.worker.OnDisconnect(l.drain)
	return l, nil
}

// withTickets returns config with the ticket keys that all workers have.
func withTickets(config *tls.Config, w *worker.Worker) *tls.Config {
	chosen := hasTicketKey(config) || config.WrapSession != nil || config.UnwrapSession != nil
	if w == nil || chosen || config.SessionTicketsDisabled {
		return config
	}
	keys := &tls.Config{}
	w.OnTicketKeys(keys.SetSessionTicketKeys)
	config = config.Clone()
	config.WrapSession, config.UnwrapSession = keys.EncryptTicket, keys.DecryptTicket
	return config
}

// hasTicketKey reports whether the program has set a key. http3.ConfigureTLSConfig makes package tls choose one, which begins
// with this word.
func hasTicketKey(config *tls.Config) bool {
	key := config.SessionTicketKey //lint:ignore SA1019 a program that still sets it must keep its key
	return key != [32]byte{} && !bytes.HasPrefix(key[:], []byte("DEPRECATED"))
}

// ListenAndServe is srv.ListenAndServe for a server whose processes can be replaced: it calls [ListenEarly]
// with srv.Addr, srv.TLSConfig and srv.QUICConfig, and [Serve]. Unlike srv.ListenAndServe it accepts
// no 0-RTT data unless srv.QUICConfig says so, as a request in it may be repeated by an attacker.
func ListenAndServe(srv *http3.Server) error {
	if srv.TLSConfig == nil {
		return errors.New("rotaquic: http3.Server without TLSConfig")
	}
	addr := srv.Addr
	if addr == "" {
		addr = ":https"
	}
	config := &quic.Config{}
	if srv.QUICConfig != nil {
		config = srv.QUICConfig.Clone()
	}
	config.EnableDatagrams = config.EnableDatagrams || srv.EnableDatagrams
	ln, err := ListenEarly(addr, http3.ConfigureTLSConfig(srv.TLSConfig), config)
	if err != nil {
		return err
	}
	return Serve(srv, ln)
}

// shutdownLead is how long before the end of the grace an HTTP/3 server ends the requests that are still open.
const shutdownLead = 500 * time.Millisecond

// Serve is srv.ServeListener(ln), and calls srv.Shutdown when the worker drains, once the handshakes that
// have begun are complete. Clients get a GOAWAY frame: their requests that have arrived are answered, and the
// next ones go to a new connection, and so to another worker. A client that sends a request before
// it has read the frame is told that the request was rejected, and repeats it there (RFC 9114, 5.2); quic-go's
// client does. Shutdown waits for the clients to close their connections, and closes them half a
// second before the end of the grace.
//
// Serve returns when srv does, with http.ErrServerClosed, in a drain when the worker has left.
func Serve(srv *http3.Server, ln *Listener) error {
	ln.worker.OnDisconnect(func(ctx context.Context) error {
		ctx, cancel := endingEarly(ctx, shutdownLead)
		defer cancel()
		select {
		case <-ln.goaway:
		case <-ctx.Done():
		}
		if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil // the grace has ended
	})
	return srv.ServeListener(ln)
}

var _ http3.QUICListener = (*Listener)(nil)

// acceptor is a quic.Listener or a quic.EarlyListener.
type acceptor interface {
	Accept(context.Context) (*quic.Conn, error)
	Close() error
	Addr() net.Addr
}
