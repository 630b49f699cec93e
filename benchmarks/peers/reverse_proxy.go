// The yardstick: what Go's standard library does without anything of a product around it.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address")
	upstream := flag.String("upstream", "http://127.0.0.1:9000", "where requests go")
	flag.Parse()
	target, err := url.Parse(*upstream)
	if err != nil {
		log.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
		FlushInterval: -1,
	}
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An upstream that answers at once would find the request's body closed under the transport
		// that is about to see its end: one answer in fifty breaks without this.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			log.Fatal(err)
		}
		proxy.ServeHTTP(w, r)
	})))
}
