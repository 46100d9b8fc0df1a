/* A connection to a client: see connection.h. HTTP is as RFC 9110 and 9112 have it; the parser is
 * http-parser. */
#include "connection.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "range.h"

#define INPUT_SIZE       4096
#define ANSWER_HEAD_MAX  1024
#define RANGE_SIZE       64
#define DATE_SIZE        40
#define REQUESTS_AT_ONCE 16 /* of one client, before others have their turn */

/* Headers that matter. */
enum header { HEADER_OTHER, HEADER_RANGE, HEADER_IF_RANGE, HEADER_HOST };

/* The request that is being parsed. */
struct request {
    char url[URL_SIZE_MAX + 1]; /* first: on_begin() clears what follows */
    size_t url_size;
    char field[16]; /* a header's name, as much as matters */
    size_t field_size;
    enum header header;
    char range[RANGE_SIZE];
    size_t range_size;
    unsigned hosts;
    bool has_if_range;
    bool is_complete;
    size_t body_size;
    int error; /* the status to answer with at once, 0: none */
};

struct connection {
    int fd;
    int64_t deadline;
    http_parser parser;
    struct request request;
    bool is_reading;  /* some of a request has come */
    bool closes;      /* after the answer */
    bool is_broken;   /* what follows in the input is not understood */
    bool is_draining; /* our direction has ended: what still comes is thrown away */
    bool at_end;      /* the client sends no more */
    bool is_emptied;  /* the last read has taken all that had come */
    char input[INPUT_SIZE];
    size_t input_size; /* bytes in it */
    size_t input_used; /* of these, parsed */
    char head[ANSWER_HEAD_MAX];
    size_t head_size;
    size_t head_sent;
    char *made;       /* the body, if it was made for this answer */
    const char *body; /* what is left of it to send */
    size_t body_size;
};

struct connection_counters connection_counters;
connection_page_t connection_page;

/* ---- Parsing ---- */

static struct request *request_of(http_parser *parser)
{
    struct connection *connection = parser->data;
    return &connection->request;
}

static int fail(http_parser *parser, int status)
{
    request_of(parser)->error = status;
    return 1;
}

static int on_begin(http_parser *parser)
{
    struct request *request = request_of(parser);
    memset(&request->url_size, 0, sizeof(*request) - offsetof(struct request, url_size));
    request->url[0] = '\0';
    return 0;
}

static int on_url(http_parser *parser, const char *text, size_t size)
{
    struct request *request = request_of(parser);
    if (size > URL_SIZE_MAX - request->url_size) {
        return fail(parser, HTTP_STATUS_URI_TOO_LONG);
    }
    memcpy(request->url + request->url_size, text, size);
    request->url_size += size;
    return 0;
}

/* A header's name, which can come in parts; the first part comes after a value. */
static int on_field(http_parser *parser, const char *text, size_t size)
{
    struct request *request = request_of(parser);
    size_t room = sizeof(request->field) - 1 - request->field_size;
    size_t count = size < room ? size : room;
    memcpy(request->field + request->field_size, text, count);
    request->field_size += size; /* a name that is too long is none that matters */
    if (request->field_size > sizeof(request->field) - 1) {
        request->field_size = sizeof(request->field) - 1;
        request->field[0] = '?';
    }
    request->field[request->field_size] = '\0';
    return 0;
}

static void take_field(struct request *request)
{
    request->header = HEADER_OTHER;
    if (strcasecmp(request->field, "range") == 0) {
        request->header = HEADER_RANGE;
    } else if (strcasecmp(request->field, "if-range") == 0) {
        request->has_if_range = true;
    } else if (strcasecmp(request->field, "host") == 0) {
        request->hosts++;
    }
    request->field_size = 0;
}

static int on_value(http_parser *parser, const char *text, size_t size)
{
    struct request *request = request_of(parser);
    if (request->field_size != 0) {
        take_field(request);
    }
    if (request->header == HEADER_RANGE) {
        size_t room = RANGE_SIZE - 1 - request->range_size;
        size_t count = size < room ? size : room;
        memcpy(request->range + request->range_size, text, count);
        request->range_size += count;
        request->range[request->range_size] = '\0';
    }
    return 0;
}

static int on_headers(http_parser *parser)
{
    struct request *request = request_of(parser);
    bool has_length = (parser->flags & F_CONTENTLENGTH) != 0;
    if (parser->http_major != 1) {
        return fail(parser, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
    }
    if (request->hosts > 1 || (request->hosts == 0 && parser->http_minor >= 1)) {
        return fail(parser, HTTP_STATUS_BAD_REQUEST);
    }
    if (has_length && parser->content_length > BODY_SIZE_MAX) {
        return fail(parser, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    }
    return 0;
}

static int on_body(http_parser *parser, const char *text, size_t size)
{
    struct request *request = request_of(parser);
    (void)text;
    request->body_size += size;
    return request->body_size > BODY_SIZE_MAX ? fail(parser, HTTP_STATUS_PAYLOAD_TOO_LARGE) : 0;
}

static int on_complete(http_parser *parser)
{
    request_of(parser)->is_complete = true;
    http_parser_pause(parser, 1); /* the next one comes after the answer */
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* The status for what the parser refuses. */
static int status_of(enum http_errno error)
{
    switch (error) {
    case HPE_HEADER_OVERFLOW: return HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
    case HPE_INVALID_METHOD: return HTTP_STATUS_NOT_IMPLEMENTED;
    case HPE_INVALID_VERSION: return HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED;
    default: return HTTP_STATUS_BAD_REQUEST;
    }
}

/* ---- Answers ---- */

static const char *reason(int status)
{
    switch (status) {
#define REASON(number, name, text)                                                                 \
    case number: return #text;
        HTTP_STATUS_MAP(REASON)
#undef REASON
    default: return "";
    }
}

/* The date as answers have it, made anew once a second. */
static const char *date_now(void)
{
    static char date[DATE_SIZE];
    static time_t made;
    time_t now = time(NULL);
    if (now != made || date[0] == '\0') {
        struct tm fields;
        gmtime_r(&now, &fields);
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &fields);
        made = now;
    }
    return date;
}

/* Begins an answer. `more` is further headers, each with CR LF. */
static void answer_head(struct connection *connection, int status, const char *type, size_t length,
                        const char *more)
{
    connection_counters.requests++;
    connection_counters.errors += status >= HTTP_STATUS_BAD_REQUEST;
    connection->head_sent = 0;
    connection->head_size =
        (size_t)snprintf(connection->head, sizeof(connection->head),
                         "HTTP/1.1 %d %s\r\nServer: ftl-httpd\r\nDate: %s\r\nConnection: %s\r\n"
                         "Content-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                         status, reason(status), date_now(),
                         connection->closes ? "close" : "keep-alive", type, length, more);
}

/* The body follows, unless only the head was asked for. Takes `made`. */
static void answer_body(struct connection *connection, const char *body, size_t size, char *made)
{
    connection->made = made;
    connection->body = body;
    connection->body_size = connection->parser.method == HTTP_HEAD ? 0 : size;
}

static void answer_status(struct connection *connection, int status, const char *more)
{
    char *text = NULL;
    int size = asprintf(&text,
                        "<!DOCTYPE html><html><head><title>%d %s</title></head><body><h1>%d %s"
                        "</h1></body></html>\n",
                        status, reason(status), status, reason(status));
    size = size < 0 ? 0 : size;
    answer_head(connection, status, "text/html; charset=utf-8", (size_t)size, more);
    answer_body(connection, text, (size_t)size, text);
}

/* An answer after which nothing of what the client sends can be understood. */
static void answer_error(struct connection *connection, int status)
{
    connection->closes = true;
    connection->is_broken = true;
    connection->parser.method = HTTP_GET; /* whatever it was */
    answer_status(connection, status, "");
}

static void answer_file(struct connection *connection, const struct file *file)
{
    char more[128];
    size_t first = 0;
    size_t count = file->size;
    const struct request *request = &connection->request;
    enum range_result result = RANGE_WHOLE;
    if (request->range_size != 0 && !request->has_if_range) {
        result = range_parse(request->range, file->size, &first, &count);
    }
    switch (result) {
    case RANGE_UNSATISFIABLE:
        snprintf(more, sizeof(more), "Content-Range: bytes */%zu\r\n", file->size);
        answer_status(connection, HTTP_STATUS_RANGE_NOT_SATISFIABLE, more);
        return;
    case RANGE_PART:
        snprintf(more, sizeof(more), "Accept-Ranges: bytes\r\nContent-Range: bytes %zu-%zu/%zu\r\n",
                 first, first + count - 1, file->size);
        answer_head(connection, HTTP_STATUS_PARTIAL_CONTENT, file->type, count, more);
        break;
    default:
        first = 0;
        count = file->size;
        answer_head(connection, HTTP_STATUS_OK, file->type, count, "Accept-Ranges: bytes\r\n");
    }
    answer_body(connection, file->data + first, count, NULL);
}

static void answer_made(struct connection *connection, char *page, size_t size, const char *type)
{
    answer_head(connection, HTTP_STATUS_OK, type, size, "Cache-Control: no-store\r\n");
    answer_body(connection, page, size, page);
}

static void answer_path(struct connection *connection, const char *path)
{
    struct file file;
    size_t size = 0;
    const char *type = "text/html; charset=utf-8";
    char more[PATH_MAX_SIZE * 3 + 32];
    char *page = connection_page != NULL ? connection_page(path, &size, &type) : NULL;
    if (page != NULL) {
        answer_made(connection, page, size, type);
        return;
    }
    switch (files_find(path, &file)) {
    case FILES_FILE: answer_file(connection, &file); return;
    case FILES_DIRECTORY:
        page = files_list(path, &size);
        if (page != NULL) {
            answer_made(connection, page, size, type);
        } else {
            answer_status(connection, HTTP_STATUS_SERVICE_UNAVAILABLE, "");
        }
        return;
    case FILES_DIRECTORY_NO_SLASH: {
        const struct request *request = &connection->request;
        int length = (int)strcspn(request->url, "?#");
        snprintf(more, sizeof(more), "Location: %.*s/\r\n", length, request->url);
        answer_status(connection, HTTP_STATUS_MOVED_PERMANENTLY, more);
        return;
    }
    default: answer_status(connection, HTTP_STATUS_NOT_FOUND, "");
    }
}

static void answer_request(struct connection *connection)
{
    char path[PATH_MAX_SIZE];
    struct http_parser_url url;
    struct request *request = &connection->request;
    request->url[request->url_size] = '\0';
    connection->closes = !http_should_keep_alive(&connection->parser);
    if (connection->parser.method != HTTP_GET && connection->parser.method != HTTP_HEAD) {
        answer_status(connection, HTTP_STATUS_METHOD_NOT_ALLOWED, "Allow: GET, HEAD\r\n");
        return;
    }
    http_parser_url_init(&url);
    if (http_parser_parse_url(request->url, request->url_size, 0, &url) != 0 ||
        (url.field_set & (1u << UF_PATH)) == 0 ||
        !files_decode_path(request->url + url.field_data[UF_PATH].off, url.field_data[UF_PATH].len,
                           path)) {
        answer_status(connection, HTTP_STATUS_BAD_REQUEST, "");
        return;
    }
    answer_path(connection, path);
}

/* ---- Input and output ---- */

static bool has_answer(const struct connection *connection)
{
    return connection->head_sent < connection->head_size || connection->body_size != 0;
}

static void end_answer(struct connection *connection, int64_t now)
{
    free(connection->made);
    connection->made = NULL;
    connection->head_size = 0;
    connection->head_sent = 0;
    connection->is_reading = false;
    connection->request = (struct request){ .error = 0 };
    connection->deadline = now + IDLE_TIME;
    if (connection->is_broken) {
        /* What the client still sends has to be read, or it may never see the answer. */
        shutdown(connection->fd, SHUT_WR);
        connection->is_draining = true;
    }
}

/* Sends as much as there is room for. False: the connection is lost. */
static bool send_answer(struct connection *connection, int64_t now)
{
    while (has_answer(connection)) {
        struct iovec parts[] = {
            { connection->head + connection->head_sent,
              connection->head_size - connection->head_sent },
            { (void *)(uintptr_t)connection->body, connection->body_size },
        };
        ssize_t sent = writev(connection->fd, parts, 2);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        size_t of_head = (size_t)sent < parts[0].iov_len ? (size_t)sent : parts[0].iov_len;
        connection->head_sent += of_head;
        connection->body += (size_t)sent - of_head;
        connection->body_size -= (size_t)sent - of_head;
        connection_counters.bytes += (uint64_t)sent;
        connection->deadline = now + ANSWER_TIME;
    }
    end_answer(connection, now);
    return true;
}

/* Parses what has come, up to the end of a request, and begins the answer if there is one. */
static void parse(struct connection *connection, int64_t now)
{
    struct request *request = &connection->request;
    http_parser *parser = &connection->parser;
    size_t size = connection->input_size - connection->input_used;
    if (size != 0 && !connection->is_reading) {
        connection->is_reading = true;
        connection->deadline = now + REQUEST_TIME;
    }
    connection->input_used +=
        http_parser_execute(parser, &settings, connection->input + connection->input_used, size);
    enum http_errno error = HTTP_PARSER_ERRNO(parser);
    if (request->error != 0) {
        answer_error(connection, request->error);
    } else if (error == HPE_PAUSED && request->is_complete) {
        http_parser_pause(parser, 0);
        answer_request(connection);
    } else if (error != HPE_OK || parser->upgrade != 0) {
        answer_error(connection, status_of(error));
    }
}

/* Reads what has come. False: there is nothing now, or no more at all. What comes after a read that
 * took all is there at the next turn. */
static bool fill_input(struct connection *connection)
{
    if (connection->is_emptied) {
        connection->is_emptied = false;
        return false;
    }
    ssize_t count = read(connection->fd, connection->input, sizeof(connection->input));
    connection->input_used = 0;
    connection->input_size = count > 0 ? (size_t)count : 0;
    connection->at_end = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
    connection->is_emptied = count > 0 && (size_t)count < sizeof(connection->input);
    return count > 0;
}

static enum connection_wants drain(struct connection *connection)
{
    while (fill_input(connection)) {
    }
    return connection->at_end ? CONNECTION_IS_DONE : CONNECTION_WANTS_INPUT;
}

enum connection_wants connection_work(struct connection *connection, int64_t now)
{
    for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
        if (has_answer(connection) && !send_answer(connection, now)) {
            return CONNECTION_IS_DONE;
        }
        if (has_answer(connection)) {
            return CONNECTION_WANTS_ROOM;
        }
        if (connection->is_draining) {
            return drain(connection);
        }
        if (connection->closes) {
            return CONNECTION_IS_DONE;
        }
        if (connection->input_used == connection->input_size && !fill_input(connection)) {
            return connection->at_end ? CONNECTION_IS_DONE : CONNECTION_WANTS_INPUT;
        }
        parse(connection, now);
    }
    return CONNECTION_WANTS_ROOM; /* there is, so it has its turn again */
}

enum connection_wants connection_expire(struct connection *connection, int64_t now)
{
    if (!connection->is_reading || has_answer(connection) || connection->is_draining) {
        return CONNECTION_IS_DONE;
    }
    answer_error(connection, HTTP_STATUS_REQUEST_TIMEOUT);
    connection->deadline = now + ANSWER_TIME;
    return connection_work(connection, now);
}

/* ---- Beginning and end ---- */

struct connection *connection_new(int fd, int64_t now, bool is_refused)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    connection->fd = fd;
    connection->deadline = now + IDLE_TIME;
    http_parser_set_max_header_size(HEAD_SIZE_MAX); /* of all parsers */
    http_parser_init(&connection->parser, HTTP_REQUEST);
    connection->parser.data = connection;
    connection_counters.connections++;
    if (is_refused) {
        answer_error(connection, HTTP_STATUS_SERVICE_UNAVAILABLE);
    }
    return connection;
}

void connection_free(struct connection *connection)
{
    close(connection->fd);
    free(connection->made);
    free(connection);
}

int connection_fd(const struct connection *connection)
{
    return connection->fd;
}

int64_t connection_deadline(const struct connection *connection)
{
    return connection->deadline;
}
