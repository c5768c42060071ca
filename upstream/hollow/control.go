package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// control is the interface for the cloud: servers and load balancers by id, all calls idempotent.
//
//	GET    /servers                          {ID: does it run}
//	PUT    /servers/{id}                     make it and start it; answers when its init runs
//	DELETE /servers/{id}
//	POST   /servers/{id}/{start|stop}
//	GET    /servers/{id}/console             text
//	GET    /loadbalancers                    [ID]
//	PUT    /loadbalancers/{id}
//	GET    /loadbalancers/{id}               {member's ID: does its API server run}
//	DELETE /loadbalancers/{id}
func control(region *Region) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("GET /servers", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, region.Servers())
	})
	mux.HandleFunc("PUT /servers/{id}", func(w http.ResponseWriter, r *http.Request) {
		server := Server{}
		if err := json.NewDecoder(r.Body).Decode(&server); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		server.ID = r.PathValue("id")
		finish(w, region.EnsureServer(r.Context(), server))
	})
	mux.HandleFunc("DELETE /servers/{id}", func(w http.ResponseWriter, r *http.Request) {
		finish(w, region.DeleteServer(r.PathValue("id")))
	})
	for action, on := range map[string]bool{"start": true, "stop": false} {
		mux.HandleFunc("POST /servers/{id}/"+action, func(w http.ResponseWriter, r *http.Request) {
			found, err := region.Power(r.Context(), r.PathValue("id"), on)
			if !found {
				http.NotFound(w, r)
				return
			}
			finish(w, err)
		})
	}
	mux.HandleFunc("GET /servers/{id}/console", func(w http.ResponseWriter, r *http.Request) {
		text, found := region.Console(r.PathValue("id"))
		if !found {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, text)
	})
	controlBalancers(mux, region)
	return mux
}

func controlBalancers(mux *http.ServeMux, region *Region) {
	mux.HandleFunc("GET /loadbalancers", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, region.Balancers())
	})
	mux.HandleFunc("GET /loadbalancers/{id}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, region.MembersOnline(r.PathValue("id")))
	})
	mux.HandleFunc("PUT /loadbalancers/{id}", func(w http.ResponseWriter, r *http.Request) {
		wanted := Balancer{}
		if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		wanted.ID = r.PathValue("id")
		finish(w, region.EnsureBalancer(wanted))
	})
	mux.HandleFunc("DELETE /loadbalancers/{id}", func(w http.ResponseWriter, r *http.Request) {
		finish(w, region.RemoveBalancer(r.PathValue("id")))
	})
}

func finish(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
