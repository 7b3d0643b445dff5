# SPDX-License-Identifier: GPL-2.0
# A private apt: the system's own Debian mirrors, read from its configuration and never written to, with the suites that we need.
# shellcheck shell=bash

SGX2_APT=$SGX2_CACHE/apt
SGX2_DAY=$((24 * 60))

apt_release() {
	local id codename
	id=$(. /etc/os-release && echo "${ID:-}")
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	case $id:$codename in
	debian:bookworm|debian:trixie) echo "$codename" ;;
	*) die "this needs Debian 12 (bookworm) or 13 (trixie), and the system says ${id:-nothing} ${codename:-of itself}" ;;
	esac
}

# One line for each enabled source of the system: URI, then options in the form of deb822 fields with ~ for a blank.
apt_system_sources() {
	local f
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk '
		function flush_stanza(  n, u, i) {
			if (uris != "" && tolower(enabled) != "no" && tolower(enabled) != "false" && types ~ /(^| )deb( |$)/) {
				n = split(uris, u, " ")
				for (i = 1; i <= n; i++) print u[i], (key ~ /^\// ? key : "-"), (tolower(trusted) == "yes" ? "yes" : "-")
			}
			uris = types = enabled = key = trusted = field = ""
		}
		/^#/ { next }
		/^[ \t]*$/ { flush_stanza(); next }
		/^[^ \t]/ { field = tolower($0); sub(/:.*/, "", field); value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
		/^[ \t]/ { value = $0; sub(/^[ \t]+/, " ", value) }
		field == "uris" { uris = uris " " value }
		field == "types" { types = types " " value }
		field == "enabled" { enabled = value }
		field == "signed-by" && key == "" { key = value }
		field == "trusted" { trusted = value }
		END { flush_stanza() }' "$f"
	done
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$f" ] || continue
		awk '$1 == "deb" {
			key = trusted = "-"; i = 2; line = $0
			if (match(line, /\[[^]]*\]/)) {
				opts = substr(line, RSTART + 1, RLENGTH - 2); line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
				n = split(opts, o, " ")
				for (j = 1; j <= n; j++) {
					if (o[j] ~ /^signed-by=\//) key = substr(o[j], 11)
					if (tolower(o[j]) == "trusted=yes") trusted = "yes"
				}
			}
			split(line, w, " "); print w[2], key, trusted
		}' "$f"
	done
}

# Writes the private sources: each suite that we want, at the first mirror that has it.
apt_write_sources() {
	local keys='' k uri key trusted base suite found mirrors main=() security=()
	for k in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		if [ -e "$k" ]; then keys=$k; break; fi
	done
	while read -r uri key trusted; do
		case $uri in cdrom:*) continue ;; esac
		uri=${uri%/}
		# A mirror may carry more behind the name, as snapshots do; and cloud images name a list of mirrors.
		if [[ $uri =~ /debian-security(\.list)?(/|$) ]]; then
			security+=("$uri $key $trusted")
		elif [[ $uri =~ ^(.*/debian)((\.list)?(/.*)?)$ ]]; then
			main+=("$uri $key $trusted")
			security+=("${BASH_REMATCH[1]}-security${BASH_REMATCH[2]} $key $trusted")
		fi
	done < <(apt_system_sources)
	[ ${#main[@]} -gt 0 ] || die "no Debian mirror in /etc/apt: add one to /etc/apt/sources.list.d"

	: > "$SGX2_APT/x.sources.new"
	for suite in {bookworm,trixie}{,-updates,-backports,-security}; do
		found=
		case $suite in *-security) mirrors=("${security[@]}") ;; *) mirrors=("${main[@]}") ;; esac
		while read -r uri key trusted; do
			if apt_cmd apt-helper download-file "$uri/dists/$suite/InRelease" "$SGX2_APT/probe" > /dev/null 2>&1; then
				found=$uri
				break
			fi
		done < <(printf '%s\n' "${mirrors[@]}" | awk '!seen[$0]++')
		rm -f "$SGX2_APT/probe"
		[ -n "$found" ] || { say "no mirror of this system has $suite: continuing without it"; continue; }
		[ "$key" != - ] || key=
		base=deb
		# Sources are wanted from these two only; the lists are long.
		case $suite in bookworm-backports|trixie) base='deb deb-src' ;; esac
		{
			printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: amd64\n' "$base" "$found" "$suite"
			k="$keys${key:+${keys:+ }$key}"
			[ -z "$k" ] || printf 'Signed-By: %s\n' "$k"
			[ "$trusted" != yes ] || printf 'Trusted: yes\n'
			printf '\n'
		} >> "$SGX2_APT/x.sources.new"
	done
	grep -q "^Suites: $(apt_release)\$" "$SGX2_APT/x.sources.new" ||
		die "no mirror in /etc/apt has $(apt_release): is this machine online?"
	mv "$SGX2_APT/x.sources.new" "$SGX2_APT/parts/x.sources"
}

# apt_cmd TOOL ARG...: an apt tool under the private configuration. The private file is read after the system's own configuration files, so it
# has the last word where they differ, and theirs (proxies, dates) stand where it is silent.
apt_cmd() {
	local tool=$1
	shift
	[ "$tool" != apt-helper ] || tool=/usr/lib/apt/apt-helper
	"$tool" -c "$SGX2_APT/apt.conf" "$@"
}

apt_configure() {
	local release
	release=$(apt_release)
	mkdir -p "$SGX2_APT"/{parts,lists/partial,cache/archives/partial,resolved}
	cat > "$SGX2_APT/apt.conf.$$" <<-EOF
		Dir::Etc::SourceList "/dev/null";
		Dir::Etc::SourceParts "$SGX2_APT/parts";
		Dir::State::Lists "$SGX2_APT/lists";
		Dir::Cache "$SGX2_APT/cache";
		Dir::Cache::pkgcache "pkgcache.bin";
		Dir::Cache::srcpkgcache "srcpkgcache.bin";
		APT::Default-Release "/^$release(|-updates|-security)\$/";
		APT::Sandbox::User "root";
		APT::Get::List-Cleanup "true";
		Acquire::Languages "none";
		Acquire::Retries "3";
		DPkg::Lock::Timeout "600";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	EOF
	mv "$SGX2_APT/apt.conf.$$" "$SGX2_APT/apt.conf"
}

# Updates the lists unless that was done in the last MINUTES, which may be 0.
apt_update() { with_lock apt-update apt_update_locked "$@"; }
apt_update_locked() {
	local stamp=$SGX2_APT/updated log=$SGX2_CACHE/log/apt-update
	apt_configure
	if [ -n "$(find "$stamp" -mmin "-$1" 2>/dev/null)" ]; then return 0; fi
	say "reading the package lists of the system's Debian mirrors"
	apt_write_sources
	apt_cmd apt-get update > "$log" 2>&1 ||
		{ grep -E '^[EW]:' "$log" >&2 || tail -n 5 "$log" >&2; die "apt-get update failed (all of its output: $log)"; }
	touch "$stamp"
}

# need PACKAGE...: sees to it that these are installed on the system; costs nothing when they are.
need() {
	local have missing=() p log=$SGX2_CACHE/log/apt-install
	have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
	for p; do
		grep -qxF "$p installed" <<< "$have" || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "missing packages: run as root, or run: apt-get install --no-install-recommends ${missing[*]}"
	apt_update "$SGX2_DAY"
	say "installing ${missing[*]}"
	with_lock apt-install need_install "$log" "${missing[@]}" && return
	# A mirror drops a package when a newer one is published: try once more with new lists.
	apt_update 0
	with_lock apt-install need_install "$log" "${missing[@]}" ||
		{ grep -E '^E:' "$log" >&2 || tail -n 5 "$log" >&2; die "cannot install ${missing[*]} (all of apt's output: $log)"; }
}
need_install() {
	local log=$1
	shift
	DEBIAN_FRONTEND=noninteractive apt_cmd apt-get install -y --no-install-recommends "$@" > "$log" 2>&1 < /dev/null
}

# apt_fetch bin|src PACKAGE SUITES VERSIONS FILE: prints the path of the newest file that matches the glob FILE, of a version that
# matches the glob VERSIONS, from a suite that matches the extended regular expression SUITES. Downloaded once, checked against
# the signed index, and looked up again after a week.
apt_fetch() {
	local name record
	name=$(hash_of "$@")-$2
	record=$SGX2_APT/resolved/$name
	if [ -z "$(find "$record" -mtime -7 2>/dev/null)" ] || [ ! -f "$SGX2_CACHE/$(cat "$record")" ]; then
		with_lock "fetch-$name" apt_fetch_locked "$record" "$@" >&2
	fi
	echo "$SGX2_CACHE/$(cat "$record")"
}

apt_fetch_locked() {
	local record=$1 pass
	shift
	if [ -n "$(find "$record" -mtime -7 2>/dev/null)" ] && [ -f "$SGX2_CACHE/$(cat "$record")" ]; then return 0; fi
	for pass in "$SGX2_DAY" 0; do
		# Offline, last week's file is better than none.
		if ! (apt_update "$pass"); then break; fi
		if apt_fetch_newest "$record" "$@"; then return 0; fi
	done
	[ -f "$record" ] && [ -f "$SGX2_CACHE/$(cat "$record")" ] && { say "$2: keeping the copy in the cache"; return 0; }
	die "no mirror of this system serves $2 ($4) from $3"
}

apt_fetch_newest() {
	local record=$1 type=$2 package=$3 suites=$4 versions=$5 glob=$6 index version uri file size sum cmd
	case $type in bin) index=Packages; cmd=(download) ;; src) index=Sources; cmd=(source --download-only --only-source) ;; esac
	while read -r version; do
		# shellcheck disable=SC2053 # a glob is what is wanted
		[[ $version == $versions ]] || continue
		while read -r uri file size sum; do
			# shellcheck disable=SC2053
			[[ $file == $glob ]] || continue
			uri=${uri//\'/}
			sum=${sum#SHA256:}
			[[ $sum =~ ^[0-9a-f]{64}$ ]] || continue
			if [ ! -f "$SGX2_CACHE/dl/${sum:0:12}/$file" ]; then
				say "downloading $file ($((size / 1048576 + 1)) MB)"
				mkdir -p "$SGX2_CACHE/dl/${sum:0:12}"
				apt_cmd apt-helper download-file "$uri" "$SGX2_CACHE/dl/${sum:0:12}/$file.part" "SHA256:$sum" \
					> "$SGX2_CACHE/log/download" 2>&1 || { say "the mirror does not serve it"; continue; }
				mv "$SGX2_CACHE/dl/${sum:0:12}/$file.part" "$SGX2_CACHE/dl/${sum:0:12}/$file"
			fi
			echo "dl/${sum:0:12}/$file" > "$record.new"
			mv "$record.new" "$record"
			return 0
		done < <(apt_cmd apt-get "${cmd[@]}" --print-uris "$package=$version" 2>/dev/null | grep "^'")
	done < <(apt_cmd apt-cache madison "$package" |
		awk -F' *[|] *' -v re="^($suites)/" -v index_="$index" '
			{ gsub(/ /, "", $2); n = split($3, f, " "); if (f[2] ~ re && f[n] == index_ && !seen[$2]++) print $2 }')
	return 1
}
