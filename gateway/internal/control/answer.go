package control

import (
	"encoding/json"
	"net/http"
)

// refusal is what is told of a request that could not be answered.
type refusal struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, status int, text string) { answer(w, status, refusal{text}) }

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The reader has gone when this fails; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(value)
}
