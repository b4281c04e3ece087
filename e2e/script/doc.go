// Package script reads conformance scripts against the real program: sessions of
// requests and answers that a stranger can read aloud.
//
// A script is a txtar file. Its verbs, beside those of testscript (exec, cmp,
// stdin, env, …):
//
//	server [FLAG…]            start `lanyard serve` on the script's own data
//	restart [FLAG…]           end it with SIGTERM and start it again
//	crash                     end it with SIGKILL; `server` starts it again
//	as NAME                   the following requests are NAME's: root, nobody, or a
//	                          user who is made at the first mention; $NAME_TOKEN and
//	                          $NAME_ID are set (in capitals)
//	project PATH [KEY=VALUE…] make a project of root's with the files below the folder
//	                          PATH of the script, if any, and groups as needed; sets
//	                          $PROJECT, $SHA and the other settings given
//	commit PATH FILE…         change files of the folder PATH in its branch main
//	member PATH NAME ROLE     guest, reporter, developer, maintainer or owner
//	trigger-token PATH        make a trigger token as whoever asks; sets $TRIGGER and
//	                          $TRIGGER_ID
//	GET|HEAD|POST|PUT|PATCH|DELETE PATH [ARG…]
//	                          send a request. PATH is below /api/v4 unless it begins
//	                          with a slash. ARG is KEY=VALUE (in the query of a GET,
//	                          HEAD or DELETE, else in a form), 'Header: value', -json
//	                          TEXT, -multipart (the form as multipart), -query (the
//	                          values in the query whatever the method), -body FILE
//	curl ARG…                 the real curl; the answer counts like a request's
//	status CODE
//	json PATH WANT            WANT is JSON (12, "12", null, {"a":1}) or, if it is not,
//	                          a text; or =TEXT (a text that looks like JSON), NAME=
//	                          (keep it), ~REGEXP, :string, :number, :int, :bool,
//	                          :object, :array, :time, :absent; with `json PATH :len N`
//	                          the length
//	keys PATH NAME…           the keys of an object, all of them, in this order
//	header NAME WANT          WANT is a text, ~REGEXP, :absent or NAME=
//	body TEXT | body ~REGEXP  the whole body
//	until PATH WANT GET …     ask until json PATH WANT holds; a minute at most
//	log REGEXP | ! log …      what the server logged
//	runner new [KEY=VALUE…]   make a runner as root; sets $RUNNER_TOKEN
//	runner take [gentle]      take a job ($JOB, $JOB_TOKEN); a gentle runner winds down
//	                          what is canceled
//	runner none               ask for a job when there is none
//	runner log TEXT           append to the log of the job
//	runner upload FILE [KEY=VALUE…]   upload an artifact of the job
//	runner finish success|failed [REASON]
//	runner variable KEY WANT  what the job gets to see
//	zip FILE FOLDER           pack a folder of the script
//	gzip FILE FROM…           pack files of the script as a runner packs reports
//	git ARG…                  git, with nobody's configuration
//
// Each script runs in three topologies: on SQLite, on PostgreSQL, and against two
// servers on one PostgreSQL that get its requests in turn. $DATABASE (SQLite or
// PostgreSQL) and $SERVERS (1 or 2) tell which; `restart`, `crash` and `log` are
// about both servers.
//
// JSON texts have $NAME and ${NAME} replaced, within quotes of the script too.
package script
