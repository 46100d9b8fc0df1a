/* cJSON: a document is built, printed, parsed and searched. */
#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "workloads.h"

#define RECORDS 30
#define ROUNDS  2

static cJSON *build(void)
{
    static const char *const names[] = { "window", "verifier", "gate \"page\"", "pad\n" };
    cJSON *list = cJSON_CreateArray();

    for (int i = 0; i < RECORDS; i++) {
        cJSON *record = cJSON_CreateObject();
        cJSON_AddNumberToObject(record, "id", i);
        cJSON_AddStringToObject(record, "name", names[i % 4]);
        cJSON_AddNumberToObject(record, "share", i * 0.37);
        cJSON_AddBoolToObject(record, "good", i % 3 == 0);
        cJSON *parts = cJSON_AddArrayToObject(record, "parts");
        for (int part = 0; part < 8; part++) {
            cJSON_AddItemToArray(parts, cJSON_CreateNumber(i * part));
        }
        cJSON_AddItemToArray(list, record);
    }
    return list;
}

static double sum_of(const cJSON *list)
{
    const cJSON *record, *part;
    double sum = 0;

    cJSON_ArrayForEach(record, list)
    {
        sum += cJSON_GetObjectItem(record, "share")->valuedouble;
        cJSON_ArrayForEach(part, cJSON_GetObjectItemCaseSensitive(record, "parts"))
        {
            sum += part->valueint;
        }
    }
    return sum;
}

uint64_t library_cjson(void)
{
    uint64_t hash = 0;

    for (int round = 0; round < ROUNDS; round++) {
        cJSON *list = build();
        char *text = cJSON_Print(list);
        require(text != NULL, "cJSON_Print");
        cJSON *parsed = cJSON_Parse(text);
        require(cJSON_Compare(list, parsed, 1), "cJSON's round trip");
        double sum = sum_of(parsed);
        hash = hash_bytes(hash_bytes(hash, text, strlen(text)), &sum, sizeof(sum));
        cJSON_Delete(parsed);
        cJSON_Delete(list);
        free(text);
    }
    return hash;
}
