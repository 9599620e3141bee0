package rotahttp

import (
	"bytes"
	"crypto/tls"
	"net/http"
)

// shareTickets has srv make session tickets that every worker accepts, unless the program
// has chosen what makes its tickets.
func shareTickets(srv *http.Server, w worker) {
	attachMu.Lock()
	defer attachMu.Unlock()
	cfg := &tls.Config{}
	if srv.TLSConfig != nil {
		cfg = srv.TLSConfig.Clone()
	}
	if hasTicketKey(cfg) || cfg.WrapSession != nil || cfg.UnwrapSession != nil || cfg.SessionTicketsDisabled {
		return
	}
	// http.Server works with a copy of its TLSConfig, which later keys would not reach.
	keys := &tls.Config{}
	w.OnTicketKeys(keys.SetSessionTicketKeys)
	cfg.WrapSession, cfg.UnwrapSession = keys.EncryptTicket, keys.DecryptTicket
	srv.TLSConfig = cfg
}

// hasTicketKey reports whether the program has set a key. In a config that has been used package tls
// has chosen one, which begins with this word.
func hasTicketKey(cfg *tls.Config) bool {
	key := cfg.SessionTicketKey //lint:ignore SA1019 a program that still sets it must keep its key
	return key != [32]byte{} && !bytes.HasPrefix(key[:], []byte("DEPRECATED"))
}
